/** What a command may touch of the process that runs it. Tests pass their own. */
import type { Readable } from 'node:stream';

export interface Terminal {
  /** Writes text and a line feed to standard output. */
  readonly out: (text: string) => void;
  /** The same to standard error: progress, questions and complaints. */
  readonly err: (text: string) => void;
  /** Shows a line on standard error that the next one replaces; nothing where nobody watches. */
  readonly progress: (text: string) => void;
  readonly input: Readable;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether a person can answer a question. */
  readonly interactive: boolean;
  readonly now: () => number;
  /** Aborted when the person presses Ctrl-C. */
  readonly signal: AbortSignal;
}
