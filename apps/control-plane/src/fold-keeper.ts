/**
 * Folds the log as it grows, and keeps a fold now and then, so that the next opening begins there (`fold-shelf.ts`). Folds at the ends
 * of segments stay; the one after the last segment is written anew as the log grows.
 */
import type { Recorded } from './domain/events.ts';
import { fold, NOTHING } from './domain/fold.ts';
import { stateOf } from './domain/state-text.ts';
import type { PlaneState } from './domain/state.ts';
import type { FoldShelf, KeptFold } from './fold-shelf.ts';
import type { Log } from './log/log.ts';
import { emptyIndex, indexAll, indexEvent } from './log-index.ts';
import type { LogIndex } from './log-index.ts';

export interface FoldPace {
  /** A log of fewer events is always read whole: every start then checks everything. */
  readonly least: number;
  /** Events of a segment, at whose end a fold stays. */
  readonly segment: number;
  /** Events after which the last fold is written anew. */
  readonly every: number;
}

/**
 * 20,000 events are read in well under a second. 65,536 fill tiles of two levels, so that the tree at a segment's end is known from few of
 * them; folding one segment, for a state of the past, takes about a second. After a crash at most 10,000 events are read.
 */
export const FOLD_PACE: FoldPace = { least: 20_000, segment: 65_536, every: 10_000 };

export interface FoldKeeper {
  /** The state up to where it has taken events. */
  readonly state: () => PlaneState;
  /** Of all events so far. */
  readonly index: LogIndex;
  /** Takes the next events; gives the state after them. */
  readonly take: (recorded: readonly Recorded[]) => PlaneState;
  /** Writes what is due. Only to be called once the events taken are known to be in the log. */
  readonly keep: () => void;
  /** Writes the newest fold, if the log is long enough for one. */
  readonly settle: () => void;
  /** Drops what is kept: a text of it was erased. The next start reads the log from its beginning. */
  readonly forget: () => void;
  /** The newest kept state of at most `size` events. */
  readonly before: (size: number) => PlaneState | undefined;
}

/** @param kept a chain of folds that fits the log; the keeper goes on from there */
export function createFoldKeeper(log: Log, shelf: FoldShelf, pace: FoldPace, kept: readonly KeptFold[]): FoldKeeper {
  const sizes = kept.map(({ size }) => size);
  const newest = kept.at(-1);
  const index = emptyIndex();
  for (const one of kept) indexAll(index, one.index());
  let head = newest === undefined ? NOTHING : stateOf(newest.text);
  /** What is not at the end of a segment yet. */
  let from = newest === undefined ? 0 : newest.size % pace.segment === 0 ? newest.size : newest.from;
  let segment = newest === undefined || from === newest.size ? emptyIndex() : newest.index();
  let written = newest?.size ?? 0;
  const due: (() => void)[] = [];

  const write = (begin: number, state: PlaneState, part: LogIndex): void => {
    // Tried again after as many events where it fails: a full disk must not be asked for more at each event.
    written = state.size;
    const root = rootOf(log, state.size);
    if (root !== undefined && shelf.keep({ from: begin, size: state.size, root }, part, state)) sizes.splice(0, sizes.length, ...sizes.filter((size) => size <= begin), state.size);
  };
  const endSegment = (): void => {
    const [begin, state, part] = [from, head, segment];
    due.push(() => write(begin, state, part));
    from = head.size;
    segment = emptyIndex();
  };
  const takePart = (part: readonly Recorded[]): void => {
    for (const recorded of part) {
      indexEvent(index, recorded);
      indexEvent(segment, recorded);
    }
    head = fold(head, part);
    if (head.size % pace.segment === 0) endSegment();
  };

  return {
    state: () => head,
    index,
    take(recorded) {
      for (let at = 0; at < recorded.length; ) {
        const room = pace.segment - (head.size % pace.segment);
        takePart(recorded.slice(at, at + room));
        at += room;
      }
      return head;
    },
    keep() {
      for (const one of due.splice(0)) one();
      if (head.size >= pace.least && head.size - written >= pace.every) write(from, head, segment);
    },
    settle() {
      if (head.size >= pace.least && head.size > written && head.size > from) write(from, head, segment);
    },
    forget() {
      sizes.splice(0);
      due.splice(0);
      shelf.clear();
    },
    before(size) {
      const at = sizes.findLast((one) => one <= size);
      return at === undefined ? undefined : shelf.stateAt(at);
    },
  };
}

/** Undefined where the log cannot be read: that is for the next command to find, not for what was already recorded. */
function rootOf(log: Log, size: number): string | undefined {
  try {
    return log.rootAt(size);
  } catch {
    return undefined;
  }
}
