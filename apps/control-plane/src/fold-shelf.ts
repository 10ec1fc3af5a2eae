/**
 * Folds that are kept in `data/folds`, so that a long log opens without being read from its beginning (L5). They are a cache: each
 * may be deleted at any time, and one that is missing, altered or of another form is passed over. Each is signed with the plane's key,
 * because what is in force after a quick start is what the newest of them says.
 *
 * A file is named for the number of events it covers. Its lines: the signed note as a JSON string, the index of the events since the file
 * before it, and the state. Files follow one another without a gap.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openNote, signNote } from '@portcullis/tlog';
import type { Signer, VerifierKey } from '@portcullis/tlog';
import { FOLD_FORM, stateOf, stateText } from './domain/state-text.ts';
import type { PlaneState } from './domain/state.ts';
import { writeDurably } from './log/durable-file.ts';
import { indexOf, indexText } from './log-index.ts';
import type { LogIndex } from './log-index.ts';

/** A state of the most policies and hosts is a few MiB; what is larger than this was not written here. */
const MAX_FOLD_BYTES = 256 * 1024 * 1024;
/** Folds hold names and reasons. */
const FOLD_MODE = 0o600;
const FOLDER_MODE = 0o700;

export interface FoldName {
  /** Size of the fold before it. */
  readonly from: number;
  /** The events that it covers. */
  readonly size: number;
  /** Root of the tree of those events, base64. */
  readonly root: string;
}

export interface KeptFold extends FoldName {
  /** Of the events from `from` to `size`. */
  readonly index: () => LogIndex;
  /** As it was written: `stateText`. */
  readonly text: string;
}

export interface FoldShelf {
  /** A chain from 0, ascending. */
  readonly folds: () => readonly KeptFold[];
  /** The state at `size`, if one is kept. */
  readonly stateAt: (size: number) => PlaneState | undefined;
  /** Writes one, and drops those beyond its beginning, which it stands for. False where it cannot be written; that costs only time. */
  readonly keep: (name: FoldName, index: LogIndex, state: PlaneState) => boolean;
  /** Drops all of them: they hold what was erased. */
  readonly clear: () => void;
  /** Drops all of them, and keeps none from now on. */
  readonly discard: () => void;
}

export function openFoldShelf(dataDir: string, signer: Signer): FoldShelf {
  const folder = foldFolder(dataDir);
  const { verifierKey } = signer;
  let discarded = false;
  return {
    folds: () => readFolds(dataDir, verifierKey),
    stateAt(size) {
      const kept = readFold(folder, size, verifierKey);
      return kept === undefined ? undefined : stateOf(kept.text);
    },
    keep(name, index, state) {
      if (discarded) return false;
      const lines = `${indexText(index)}\n${stateText(state)}\n`;
      try {
        mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
        writeDurably(join(folder, String(name.size)), `${JSON.stringify(signNote(statement(verifierKey.name, name, lines), signer))}\n${lines}`, FOLD_MODE);
        for (const size of sizesIn(folder)) if (size > name.from && size !== name.size) rmSync(join(folder, String(size)), { force: true });
        return true;
      } catch {
        return false;
      }
    },
    clear: () => rmSync(folder, { recursive: true, force: true }),
    discard() {
      discarded = true;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The chain of folds that this key signed. */
export function readFolds(dataDir: string, key: VerifierKey): readonly KeptFold[] {
  const folder = foldFolder(dataDir);
  const chain: KeptFold[] = [];
  for (const size of sizesIn(folder)) {
    const kept = readFold(folder, size, key);
    if (kept !== undefined && kept.from === (chain.at(-1)?.size ?? 0)) chain.push(kept);
  }
  return chain;
}

function foldFolder(dataDir: string): string {
  return join(dataDir, 'folds');
}

function sizesIn(folder: string): readonly number[] {
  try {
    return readdirSync(folder).filter((name) => /^[1-9]\d{0,14}$/.test(name)).map(Number).sort((a, b) => a - b);
  } catch {
    return [];
  }
}

/** What is signed. The first line is that of no checkpoint, whose first line is the name of the log. */
function statement(log: string, { from, size, root }: FoldName, lines: string): string {
  return `portcullis fold ${FOLD_FORM}\n${log}\n${from}\n${size}\n${root}\n${createHash('sha256').update(lines).digest('hex')}\n`;
}

/** Undefined where it is not there, or not what this key signed. */
function readFold(folder: string, size: number, key: VerifierKey): KeptFold | undefined {
  const path = join(folder, String(size));
  try {
    if (statSync(path).size > MAX_FOLD_BYTES) return undefined;
    const file = readFileSync(path, 'utf8');
    const end = file.indexOf('\n');
    const lines = file.slice(end + 1);
    const opened = openNote(JSON.parse(file.slice(0, end)) as string, key);
    if (!opened.ok) return undefined;
    const [, , from, , root] = opened.text.split('\n');
    const name = { from: Number(from), size, root: root ?? '' };
    if (opened.text !== statement(key.name, name, lines)) return undefined;
    const middle = lines.indexOf('\n');
    return { ...name, index: () => indexOf(lines.slice(0, middle)), text: lines.slice(middle + 1, -1) };
  } catch {
    return undefined;
  }
}
