/**
 * What a proxy enforces, on disk (P3, P6, W9): one folder per log and server name, shared by all processes of that name. A record is an
 * immutable file named after its version; it appears by rename, after its bytes are durable. So a higher version is never
 * replaced by a lower one whoever writes when, and no lock is left behind by a process that is killed. Policies may fall back, so the two
 * highest versions stay. Restrictions must not: only the newest set stays, twice, and a file beside it, whose name is all it has to say,
 * tells which one that is. Without either, or with another one, nothing is permitted.
 */
import { join } from 'node:path';
import { digestOf } from '@portcullis/policy-core';
import type { PartName } from '@portcullis/policy-core';
import type { Evidence, Persist } from '../guard/guard.ts';
import type { HistoryEvidence } from '../guard/witness.ts';
import type { Stored, StoredVersion } from '../guard/restore.ts';
import { fileSystem } from './disk.ts';
import type { Disk } from './disk.ts';

export interface LastGood {
  /** Everything that is readable; damaged copies are left out. */
  read(): Stored;
  /** Heads of the log's tree that were taken, newest first. */
  checkpoints(): readonly string[];
  /** Makes a record durable: when it returns, it is there after a power cut. Throws where the disk does not take it. */
  write(record: Persist): Promise<void>;
  /** Removes the records, and leaves word that restrictions were here: nothing is permitted by this folder from now on. Best effort. */
  forget(): Promise<void>;
  /** Keeps contradicting statements for whoever investigates. Best effort. */
  keepEvidence(evidence: Evidence | HistoryEvidence, nowMs: number): void;
  /** For how long what is held had not been known to be current, and when that was written. */
  readStale(nowMs: number): number;
  writeStale(staleMs: number, nowMs: number): void;
}

/** Versions that are kept: the last good one and the one before. An older set of restrictions is of no use but to whoever wants to lift one. */
const VERSIONS_KEPT: Readonly<Record<Persist['kind'], number>> = { policies: 2, restrictions: 1, head: 2, checkpoint: 2 };
/** Sets of restrictions that are kept while a lift waits for its policies: another process of the server may have had some in force that this one never saw. */
const MAX_UNSETTLED = 32;
/** The largest snapshot frame, and what storing adds. */
const MAX_RECORD_BYTES = 52 * 1024 * 1024;
/** Contradictions kept; the first ones tell most. */
const MAX_EVIDENCE = 64;
const NAME = /^(policies|restrictions|head|checkpoint)-(\d{16})-[0-9a-f]{12}\.\d$/;
/** Which restrictions are the newest that were ever stored here. */
const NEWEST = /^newest-(\d{16})$/;
const NEWEST_TEXT = 'The newest restrictions that are in force here have this version. Without them, or without this file, every call is denied until the plane has been reached.\n';
/** Other processes store a version now and then, never this often in a row. */
const MAX_READS = 10;

/** The folder of one log and server under `$PORTCULLIS_HOME`; readable, and distinct for distinct names on every file system. */
export function lastGoodDirectory(home: string, log: string, server: string): string {
  return join(lastGoodRoot(home, log), folderOf(server));
}

/** Where the folders of all servers of one log are. */
export function lastGoodRoot(home: string, log: string): string {
  return join(home, 'last-good', folderOf(log));
}

/** A folder for a name: readable, and another one for every name. */
export function folderOf(name: string): string {
  return `${name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 60)}-${digestOf(name).slice(0, 12)}`;
}

/** Opens the folder, and makes it if it is not there. Throws where it cannot be used. */
export function openLastGood(directory: string, disk: Disk = fileSystem): LastGood {
  disk.makeFolder(directory);
  removeLeftovers(disk, directory);

  async function write(persist: Persist): Promise<void> {
    const { kind, version } = persist;
    const text = await textOf(disk, directory, persist);
    await store(kind, version, text);
    // Another process may have stored something else since this one looked, and removed what the head speaks of.
    if (kind === 'head' && (await textOf(disk, directory, persist)) !== text) await store(kind, version, persist.whole());
    await prune(disk, directory, persist);
  }

  async function store(kind: Persist['kind'], version: number, text: string): Promise<void> {
    const name = `${kind}-${padded(version)}-${digestOf(text).slice(0, 12)}`;
    const bytes = Buffer.from(`${digestOf(text)}\n${text}`, 'utf8');
    const copies = kind === 'restrictions' ? [0, 1] : [0];
    for (const copy of copies) {
      const unfinished = join(directory, `${disk.unusedName()}.tmp`);
      await disk.writeDurably(unfinished, bytes);
      await disk.renameLater(unfinished, join(directory, `${name}.${copy}`));
    }
    // A rename is durable once its directory is.
    await disk.syncFolder(directory);
    if (kind === 'restrictions') {
      // After the record: a power cut between the two leaves what was there before in force, not a closed gate.
      await disk.writeDurably(join(directory, `newest-${padded(version)}`), Buffer.from(NEWEST_TEXT, 'utf8'));
      await disk.syncFolder(directory);
    }
  }

  return {
    read: () => read(disk, directory),
    checkpoints: () => readPart(disk, directory, recordsIn(disk, directory), 'checkpoint').flatMap(({ copies }) => copies),
    write,
    forget: async () => {
      const records = (await disk.namesLater(directory)).filter((name) => NAME.test(name));
      await Promise.all(records.map((name) => disk.removeLater(join(directory, name)))).catch(() => undefined);
    },
    keepEvidence: (evidence, nowMs) => keepEvidence(disk, join(directory, 'evidence'), evidence, nowMs),
    readStale: (nowMs) => readStale(disk, directory, nowMs),
    writeStale: (staleMs, nowMs) => writeStale(disk, directory, staleMs, nowMs),
  };
}

/** A head alone, where what it speaks of is what a reader would find; else, because another process of this server stored something else, with it. */
async function textOf(disk: Disk, directory: string, persist: Persist): Promise<string> {
  if (persist.kind !== 'head') return persist.text;
  const names = await disk.namesLater(directory);
  const newestStored = (kind: PartName): number | undefined => newestFirst(names.filter((name) => NAME.exec(name)?.[1] === kind))[0];
  if (newestStored('policies') === persist.of.policies && newestStored('restrictions') === persist.of.restrictions) return persist.text;
  const whole = persist.whole();
  if (Buffer.byteLength(whole) <= MAX_RECORD_BYTES - DIGEST_LINE_BYTES) return whole;
  throw Object.assign(new Error('what is in force is too large to be stored beside what another process stored'), { code: 'EFBIG' });
}

/** A digest in hex and a line feed. */
const DIGEST_LINE_BYTES = 65;

/** Removes what is older than the versions kept. Another process may do the same at the same time; where one has come further, what its head speaks of stays. */
async function prune(disk: Disk, directory: string, persist: Persist): Promise<void> {
  const { kind, version } = persist;
  const names = await disk.namesLater(directory);
  if ((kind === 'policies' || kind === 'restrictions') && names.some((name) => NAME.exec(name)?.[1] === 'head' && versionOf(name) > version)) return;
  const files = names.filter((name) => NAME.exec(name)?.[1] === kind);
  const kept = new Set(newestFirst(files).slice(0, persist.kind === 'restrictions' && !persist.settled ? MAX_UNSETTLED : VERSIONS_KEPT[kind]));
  const outdated = files.filter((name) => !kept.has(versionOf(name)));
  const newest = kind === 'restrictions' ? newestOf(names) : null;
  const marks = newest === null ? [] : names.filter((name) => NEWEST.test(name) && newestOf([name]) !== newest);
  await Promise.all([...outdated, ...marks].map((name) => disk.removeLater(join(directory, name))));
}

/** Reads until nobody has stored anything meanwhile: what is removed while it is read is not damaged. */
function read(disk: Disk, directory: string): Stored {
  let names = recordsIn(disk, directory);
  for (let reads = 1; ; reads += 1) {
    const stored: Stored = {
      policies: readPart(disk, directory, names, 'policies'),
      restrictions: readPart(disk, directory, names, 'restrictions'),
      head: readPart(disk, directory, names, 'head'),
      newestRestrictions: newestOf(names),
    };
    const now = recordsIn(disk, directory);
    if (reads === MAX_READS || now.join() === names.join()) return stored;
    names = now;
  }
}

function recordsIn(disk: Disk, directory: string): readonly string[] {
  return disk.names(directory).filter((name) => NAME.test(name) || NEWEST.test(name)).sort();
}

function readPart(disk: Disk, directory: string, names: readonly string[], kind: Persist['kind']): readonly StoredVersion[] {
  const files = names.filter((name) => NAME.exec(name)?.[1] === kind);
  return newestFirst(files).map((version) => ({
    version,
    copies: files.filter((name) => versionOf(name) === version).flatMap((name) => readRecord(disk, join(directory, name))),
  }));
}

/** The record's text, or nothing where a single bit of it is not as it was written. */
function readRecord(disk: Disk, file: string): readonly string[] {
  try {
    const bytes = disk.read(file, MAX_RECORD_BYTES);
    const end = bytes.indexOf(0x0a);
    const text = bytes.subarray(end + 1);
    return end > 0 && bytes.subarray(0, end).toString('latin1') === digestOf(text) ? [text.toString('utf8')] : [];
  } catch {
    return [];
  }
}

function newestFirst(files: readonly string[]): readonly number[] {
  return [...new Set(files.map(versionOf))].sort((a, b) => b - a);
}

function versionOf(name: string): number {
  return Number(NAME.exec(name)?.[2] ?? -1);
}

function newestOf(names: readonly string[]): number | null {
  const versions = names.flatMap((name) => NEWEST.exec(name)?.[1] ?? []).map(Number);
  return versions.length === 0 ? null : Math.max(...versions);
}

function padded(version: number): string {
  return String(version).padStart(16, '0');
}

/** What a killed process did not finish. A living one writes for milliseconds. */
const UNFINISHED_MS = 60 * 60 * 1000;

function removeLeftovers(disk: Disk, directory: string): void {
  for (const name of disk.names(directory)) {
    if (!name.endsWith('.tmp')) continue;
    const file = join(directory, name);
    try {
      if (disk.ageMs(file) > UNFINISHED_MS) disk.remove(file);
    } catch {
      // Another process has just removed it.
    }
  }
}

function keepEvidence(disk: Disk, directory: string, evidence: Evidence | HistoryEvidence, nowMs: number): void {
  try {
    disk.makeFolder(directory);
    const text = `${JSON.stringify({ at: new Date(nowMs).toISOString(), ...evidence }, null, 2)}\n`;
    const name = `${evidence.what}-${digestOf(JSON.stringify(evidence)).slice(0, 16)}.json`;
    const known = disk.names(directory);
    if (known.includes(name) || known.length >= MAX_EVIDENCE) return;
    disk.create(join(directory, name), text);
  } catch {
    // The refusal stands and is reported to the plane; only the copy for later is missing.
  }
}

const STALE_FILE = 'stale.json';
/** Two numbers. */
const MAX_STALE_BYTES = 1024;

/** Stale for as long as was written, and for the time since then; the clock may have been set back meanwhile, then only the former. */
function readStale(disk: Disk, directory: string, nowMs: number): number {
  try {
    const { staleMs, writtenAtMs } = JSON.parse(disk.read(join(directory, STALE_FILE), MAX_STALE_BYTES).toString('utf8')) as { staleMs: unknown; writtenAtMs: unknown };
    if (typeof staleMs !== 'number' || typeof writtenAtMs !== 'number' || !Number.isFinite(staleMs) || !Number.isFinite(writtenAtMs)) return Number.MAX_SAFE_INTEGER;
    return Math.max(0, staleMs) + Math.max(0, nowMs - writtenAtMs);
  } catch (error) {
    // Neither it nor a record: nothing was ever known here. Else it is lost or damaged: nobody knows for how long, so for ever.
    const never = (error as NodeJS.ErrnoException).code === 'ENOENT' && !disk.names(directory).some((name) => NAME.test(name));
    return never ? 0 : Number.MAX_SAFE_INTEGER;
  }
}

/** Best effort and not durable: what a power cut loses is half a minute of a stale time. */
function writeStale(disk: Disk, directory: string, staleMs: number, nowMs: number): void {
  const unfinished = join(directory, `${disk.unusedName()}.tmp`);
  try {
    disk.create(unfinished, JSON.stringify({ staleMs, writtenAtMs: nowMs }));
    disk.rename(unfinished, join(directory, STALE_FILE));
  } catch {
    disk.remove(unfinished);
  }
}
