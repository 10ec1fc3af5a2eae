/**
 * Verifies a published log (C2SP tlog-tiles) from its files alone: recomputes every leaf from its entry, every tile and the root,
 * and compares them with what is stored and signed (rule L4). Trusts the key and, where given, earlier checkpoints; without one of
 * those, a log that was cut or rewritten with the stolen key cannot be told from an honest one.
 */
import { decodeBundle } from './bundle.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { emptyEdge, extend, partialTile, rootOf } from './edge.ts';
import type { Edge } from './edge.ts';
import { at, HASH_BYTES, leafHash, sameHash } from './hash.ts';
import type { VerifierKeys } from './note.ts';
import type { LogProblem, LogProblemCode, Refused } from './problem.ts';
import { bundlePath, splitTile, tilePath, TILE_WIDTH, widthOf } from './tile.ts';
import type { TileReader } from './tile.ts';

/** The bytes of a file by its path below the directory, or undefined where there is none. */
export type FileReader = (path: string) => Uint8Array | undefined;

export interface DirectoryOptions {
  /** Checkpoints of the same log that were kept elsewhere: what is published must contain each. */
  readonly older?: Checkpoint | readonly Checkpoint[];
  /** Is given each entry in order. They are not verified before the whole is: act on them only after `ok`. */
  readonly onEntry?: (index: number, entry: Uint8Array) => void;
}

export type VerifiedDirectory = { readonly ok: true; readonly size: number; readonly root: Uint8Array; readonly checkpoint: Checkpoint } | Refused;

export const CHECKPOINT_PATH = 'checkpoint';

/** A broken log has one cause or a thousand symptoms; more lines than this help nobody. */
export const MAX_DIRECTORY_PROBLEMS = 100;

/** Verifies everything, and reports all that is wrong, not only the first. */
export function verifyDirectory(read: FileReader, keys: VerifierKeys, options: DirectoryOptions = {}): VerifiedDirectory {
  const note = read(CHECKPOINT_PATH);
  if (note === undefined) return one('CHECKPOINT_MISSING', CHECKPOINT_PATH, 'there is no checkpoint; this is not the directory of a published log');
  const opened = openCheckpoint(note, keys);
  if (!opened.ok) return { ok: false, problems: opened.problems.map((problem) => ({ ...problem, where: CHECKPOINT_PATH })) };
  const { checkpoint } = opened;
  const report = reporting();
  const older = comparable(checkpoint, options.older, report);
  const edge = readLog(read, checkpoint.size, older, report, options.onEntry);
  if (edge !== undefined) {
    comparePartials(read, edge, report);
    if (!sameHash(rootOf(edge), checkpoint.root)) {
      report.add('ROOT_WRONG', CHECKPOINT_PATH, `the ${checkpoint.size} entries do not give the root that was signed; compare them with another copy of the log`);
    }
  }
  if (report.problems.length > 0) return { ok: false, problems: report.problems };
  return { ok: true, size: checkpoint.size, root: checkpoint.root, checkpoint };
}

/**
 * Reads the tiles of a directory that was published at `size`, for proofs up to that size; the full tile where a partial one is
 * gone because it was filled since. Does not verify: the proofs made from it are to be verified.
 */
export function directoryTiles(read: FileReader, size: number): TileReader {
  return (level, n, wanted) => {
    const width = widthOf(level, n, size);
    if (width < wanted) return undefined;
    return read(tilePath(level, n, width)) ?? (width < TILE_WIDTH ? read(tilePath(level, n)) : undefined);
  };
}

/** Checkpoints by their size. */
type Older = ReadonlyMap<number, readonly Checkpoint[]>;

/** The older checkpoints that will be met on the way. Others are reported at once. */
function comparable(head: Checkpoint, older: DirectoryOptions['older'], report: Report): Older {
  const met = new Map<number, Checkpoint[]>();
  for (const known of listed(older)) {
    if (known.origin !== head.origin) {
      report.add('ORIGIN_WRONG', CHECKPOINT_PATH, `it is of the log \`${head.origin}\`, and the checkpoint that was kept of \`${known.origin}\`; compare a log with its own`);
    } else if (known.size > head.size) {
      report.add('ROLLED_BACK', CHECKPOINT_PATH, `the log had ${known.size} entries and is published with ${head.size}; find out what was removed`);
    } else {
      met.set(known.size, [...(met.get(known.size) ?? []), known]);
    }
  }
  return met;
}

function listed(older: DirectoryOptions['older']): readonly Checkpoint[] {
  if (older === undefined) return [];
  return 'root' in older ? [older] : older;
}

/** Grows the tree entry by entry. Undefined where it cannot be known how it goes on, or too much is wrong to. */
function readLog(read: FileReader, size: number, older: Older, report: Report, onEntry: DirectoryOptions['onEntry']): Edge | undefined {
  let edge = emptyEdge();
  compareOlder(edge, older, report);
  while (edge.size < size) {
    const leaves = readLeaves(read, edge.size / TILE_WIDTH, size, report, onEntry);
    if (leaves === undefined || report.isFull()) return undefined;
    for (const leaf of leaves) {
      const grown = extend(edge, leaf);
      edge = grown.edge;
      for (const tile of grown.completed) compareTile(read(tilePath(tile.level, tile.n)), tile.bytes, tilePath(tile.level, tile.n), report);
      compareOlder(edge, older, report);
    }
  }
  return edge;
}

/** The leaf hashes of one bundle, from its entries; from the tile where the bundle is damaged, so that the rest can still be examined. */
function readLeaves(read: FileReader, n: number, size: number, report: Report, onEntry: DirectoryOptions['onEntry']): readonly Uint8Array[] | undefined {
  const width = widthOf(0, n, size);
  const entries = readEntries(read, n, width, report);
  const tile = directoryTiles(read, size)(0, n, width);
  const stored = tile === undefined ? undefined : splitTile(tile, width);
  if (entries === undefined) return stored;
  const leaves = entries.map(leafHash);
  leaves.forEach((leaf, i) => {
    const index = n * TILE_WIDTH + i;
    onEntry?.(index, at(entries, i));
    if (stored !== undefined && !sameHash(leaf, at(stored, i))) {
      report.add('LEAF_WRONG', bundlePath(n, width), `entry ${index} does not have the hash that ${tilePath(0, n, width)} holds for it; compare both with another copy of the log`);
    }
  });
  return leaves;
}

function readEntries(read: FileReader, n: number, width: number, report: Report): readonly Uint8Array[] | undefined {
  const exact = read(bundlePath(n, width));
  const bytes = exact ?? (width < TILE_WIDTH ? read(bundlePath(n)) : undefined);
  const [path, wanted] = exact === undefined && bytes !== undefined ? [bundlePath(n), TILE_WIDTH] : [bundlePath(n, width), width];
  if (bytes === undefined) {
    report.add('BUNDLE_MISSING', path, 'the entries are not there; restore the file from another copy of the log');
    return undefined;
  }
  const decoded = decodeBundle(bytes, path);
  if (!decoded.ok) {
    for (const problem of decoded.problems) report.add(problem.code, problem.where, problem.what);
    return undefined;
  }
  // Not one more either: an entry that no tile covers would pass for a signed one.
  if (decoded.entries.length !== wanted) {
    report.add('BUNDLE_MALFORMED', path, `it holds ${decoded.entries.length} entries where its name asks for ${wanted}; restore the file from another copy of the log`);
    return undefined;
  }
  return decoded.entries.slice(0, width);
}

/** The rightmost tile of each level, which may be stored as the full tile that it has become since. */
function comparePartials(read: FileReader, edge: Edge, report: Report): void {
  const readTile = directoryTiles(read, edge.size);
  edge.partial.forEach((hashes, level) => {
    const bytes = partialTile(edge, level);
    if (bytes === undefined) return;
    const n = Math.floor(edge.size / TILE_WIDTH ** (level + 1));
    const path = tilePath(level, n, hashes.length);
    const exact = read(path);
    compareTile(exact ?? readTile(level, n, hashes.length)?.subarray(0, hashes.length * HASH_BYTES), bytes, path, report);
  });
}

function compareTile(stored: Uint8Array | undefined, computed: Uint8Array, path: string, report: Report): void {
  if (stored === undefined) {
    report.add('TILE_MISSING', path, 'the tile is not there; write it again from the entries once they verify');
  } else if (!sameHash(stored, computed)) {
    report.add('TILE_WRONG', path, 'the tile differs from the hashes of the entries; write it again from the entries once they verify');
  }
}

function compareOlder(edge: Edge, older: Older, report: Report): void {
  for (const known of older.get(edge.size) ?? []) {
    if (sameHash(rootOf(edge), known.root)) continue;
    report.add('FORKED', CHECKPOINT_PATH, `the first ${known.size} entries are not those of the checkpoint that was kept: history was rewritten; keep that checkpoint, it is the evidence`);
  }
}

interface Report {
  readonly problems: readonly LogProblem[];
  add(code: LogProblemCode, where: string, what: string): void;
  isFull(): boolean;
}

function reporting(): Report {
  const problems: LogProblem[] = [];
  const isFull = (): boolean => problems.length >= MAX_DIRECTORY_PROBLEMS;
  return {
    problems,
    isFull,
    add(code, where, what) {
      if (isFull()) return;
      problems.push({ code, what, where });
      if (problems.length === MAX_DIRECTORY_PROBLEMS - 1) {
        problems.push({ code: 'TOO_MANY', what: `the rest is not listed after ${MAX_DIRECTORY_PROBLEMS - 1} problems; mend these and verify again`, where });
      }
    },
  };
}

function one(code: LogProblemCode, where: string, what: string): Refused {
  return { ok: false, problems: [{ code, what, where }] };
}
