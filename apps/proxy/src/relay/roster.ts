/**
 * The tools that the upstream lists, once a walk over all pages has been seen to its end. Only then can the relay answer a
 * hidden name and a name that nobody lists alike (P4); until then unknown names are the upstream's to answer.
 */
export interface Roster {
  /** A page is asked for: the first, or the one behind a cursor. */
  begin(cursor: string | null): Page;
  /** The page has come. Null where its names could not be read. */
  complete(page: Page, names: readonly string[] | null, nextCursor: string | null): void;
  /** The upstream says that its list has changed. */
  invalidate(): void;
  /** Whether the upstream lists the name; null while no complete list has been seen. */
  lists(name: string): boolean | null;
}

/** One page of one walk: the names of the pages before it, or null where those are unknown. */
export interface Page {
  readonly before: readonly string[] | null;
  readonly generation: number;
}

/** Walks that go on at the same time; one client needs one. */
const MAX_OPEN_WALKS = 16;
/** A list that is longer counts as incomplete: unknown names then go upstream, as without a list. */
const MAX_NAMES = 100_000;

export function createRoster(): Roster {
  let known: ReadonlySet<string> | null = null;
  let generation = 0;
  const walks = new Map<string, readonly string[]>();

  return {
    begin: (cursor) => ({ before: cursor === null ? [] : (walks.get(cursor) ?? null), generation }),
    complete(page, names, nextCursor) {
      if (page.before === null || names === null || page.generation !== generation) return;
      const all = [...page.before, ...names];
      if (all.length > MAX_NAMES) return;
      if (nextCursor === null) {
        known = new Set(all);
        walks.clear();
        return;
      }
      walks.delete(nextCursor);
      walks.set(nextCursor, all);
      const oldest = walks.keys().next();
      if (walks.size > MAX_OPEN_WALKS && oldest.done !== true) walks.delete(oldest.value);
    },
    invalidate() {
      known = null;
      generation++;
      walks.clear();
    },
    lists: (name) => known?.has(name) ?? null,
  };
}
