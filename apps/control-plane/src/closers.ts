/** What has been opened is closed in reverse. A part that hangs or throws is named, and keeps the others from nothing. */

/** Each part has deadlines of its own that are shorter; what takes longer waits for something that never comes. */
export const CLOSING_MS = 4_000;

export interface Closers {
  /** `what` is its name in a complaint. */
  add(what: string, close: () => void | Promise<void>): void;
  /** Closes everything that was added, the last first. Never rejects. */
  closeAll(): Promise<void>;
}

/** Begins with nothing to close. */
export function makeClosers(complain: (text: string) => void, deadlineMs = CLOSING_MS): Closers {
  const parts: { readonly what: string; readonly close: () => void | Promise<void> }[] = [];
  return {
    add: (what, close) => void parts.push({ what, close }),
    closeAll: async () => {
      for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
        const problem = await closed(part.close, deadlineMs);
        if (problem !== undefined) complain(`portcullis: ${part.what} ${problem}`);
      }
    },
  };
}

async function closed(close: () => void | Promise<void>, deadlineMs: number): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`did not end within ${deadlineMs / 1_000} s and is left behind`), deadlineMs);
  });
  try {
    return await Promise.race([(async () => close())().then(() => undefined), late]);
  } catch (error) {
    return `could not be closed: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    clearTimeout(timer);
  }
}
