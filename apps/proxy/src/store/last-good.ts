/**
 * What a proxy enforces, on disk (P3, P6, W9): one folder per log and server name, shared by all processes of that name. A record is an
 * immutable file named after its version; it appears by rename, after its bytes are durable. So a higher version is never
 * replaced by a lower one whoever writes when, and no lock is left behind by a process that is killed. The two highest versions of each
 * part stay; restrictions are kept twice, because they must not fall back.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, renameSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '@portcullis/policy-core';
import type { Evidence, Persist } from '../guard/guard.ts';
import type { Stored, StoredVersion } from '../guard/restore.ts';

export interface LastGood {
  /** Everything that is readable; damaged copies are left out. */
  read(): Stored;
  /** Makes a record durable: when it returns, it is there after a power cut. Throws where the disk does not take it. */
  write(record: Persist): Promise<void>;
  /** Keeps contradicting statements for whoever investigates. Best effort. */
  keepEvidence(evidence: Evidence, nowMs: number): void;
  /** For how long what is held had not been known to be current, and when that was written. */
  readStale(nowMs: number): number;
  writeStale(staleMs: number, nowMs: number): void;
}

/** Versions of each part that are kept: the last good one and the one before. */
const VERSIONS_KEPT = 2;
/** The largest snapshot frame, and what storing adds. */
const MAX_RECORD_BYTES = 52 * 1024 * 1024;
/** Contradictions kept; the first ones tell most. */
const MAX_EVIDENCE = 64;
const NAME = /^(policies|restrictions|head)-(\d{16})-[0-9a-f]{12}\.\d$/;
const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

/** The folder of one log and server under `$PORTCULLIS_HOME`; readable, and distinct for distinct names on every file system. */
export function lastGoodDirectory(home: string, log: string, server: string): string {
  return join(lastGoodRoot(home, log), folderOf(server));
}

/** Where the folders of all servers of one log are. */
export function lastGoodRoot(home: string, log: string): string {
  return join(home, 'last-good', folderOf(log));
}

function folderOf(name: string): string {
  return `${name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 60)}-${digestOf(name).slice(0, 12)}`;
}

/** Opens the folder, and makes it if it is not there. Throws where it cannot be used. */
export function openLastGood(directory: string): LastGood {
  mkdirSync(directory, { recursive: true, mode: OWNER_ONLY_DIRECTORY });
  removeLeftovers(directory);

  async function write({ kind, version, text }: Persist): Promise<void> {
    const name = `${kind}-${String(version).padStart(16, '0')}-${digestOf(text).slice(0, 12)}`;
    const bytes = Buffer.from(`${digestOf(text)}\n${text}`, 'utf8');
    const copies = kind === 'restrictions' ? [0, 1] : [0];
    for (const copy of copies) {
      const unfinished = join(directory, `${randomUUID()}.tmp`);
      await writeDurably(unfinished, bytes);
      await rename(unfinished, join(directory, `${name}.${copy}`));
    }
    await syncDirectory(directory);
    await prune(directory, kind);
  }

  return {
    read: () => ({ policies: readPart(directory, 'policies'), restrictions: readPart(directory, 'restrictions'), head: readPart(directory, 'head') }),
    write,
    keepEvidence: (evidence, nowMs) => keepEvidence(join(directory, 'evidence'), evidence, nowMs),
    readStale: (nowMs) => readStale(directory, nowMs),
    writeStale: (staleMs, nowMs) => writeStale(directory, staleMs, nowMs),
  };
}

async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'w', OWNER_ONLY);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A rename is durable once its directory is. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what is older than the versions kept. Another process may do the same at the same time. */
async function prune(directory: string, kind: Persist['kind']): Promise<void> {
  const files = (await readdir(directory)).filter((name) => NAME.exec(name)?.[1] === kind);
  const kept = new Set(newestFirst(files).slice(0, VERSIONS_KEPT));
  await Promise.all(files.filter((name) => !kept.has(versionOf(name))).map((name) => rm(join(directory, name), { force: true })));
}

function readPart(directory: string, kind: Persist['kind']): readonly StoredVersion[] {
  const files = readdirSync(directory).filter((name) => NAME.exec(name)?.[1] === kind);
  return newestFirst(files).map((version) => ({
    version,
    copies: files.filter((name) => versionOf(name) === version).flatMap((name) => readRecord(join(directory, name))),
  }));
}

/** The record's text, or nothing where a single bit of it is not as it was written. */
function readRecord(file: string): readonly string[] {
  try {
    if (statSync(file).size > MAX_RECORD_BYTES) return [];
    const bytes = readFileSync(file);
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

/** What a killed process did not finish. A living one writes for milliseconds. */
const UNFINISHED_MS = 60 * 60 * 1000;

function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.endsWith('.tmp')) continue;
    const file = join(directory, name);
    try {
      if (Date.now() - statSync(file).mtimeMs > UNFINISHED_MS) rmSync(file, { force: true });
    } catch {
      // Another process has just removed it.
    }
  }
}

function keepEvidence(directory: string, evidence: Evidence, nowMs: number): void {
  try {
    mkdirSync(directory, { recursive: true, mode: OWNER_ONLY_DIRECTORY });
    const text = `${JSON.stringify({ at: new Date(nowMs).toISOString(), ...evidence }, null, 2)}\n`;
    const name = `${evidence.what}-${digestOf(JSON.stringify(evidence)).slice(0, 16)}.json`;
    const known = readdirSync(directory);
    if (known.includes(name) || known.length >= MAX_EVIDENCE) return;
    writeFileSync(join(directory, name), text, { mode: OWNER_ONLY, flag: 'wx' });
  } catch {
    // The refusal stands and is reported to the plane; only the copy for later is missing.
  }
}

const STALE_FILE = 'stale.json';

/** Stale for as long as was written, and for the time since then; the clock may have been set back meanwhile, then only the former. */
function readStale(directory: string, nowMs: number): number {
  try {
    const { staleMs, writtenAtMs } = JSON.parse(readFileSync(join(directory, STALE_FILE), 'utf8')) as { staleMs: unknown; writtenAtMs: unknown };
    if (typeof staleMs !== 'number' || typeof writtenAtMs !== 'number' || !Number.isFinite(staleMs) || !Number.isFinite(writtenAtMs)) return Number.MAX_SAFE_INTEGER;
    return Math.max(0, staleMs) + Math.max(0, nowMs - writtenAtMs);
  } catch (error) {
    // No file: nothing was ever known to be current here. A damaged one: nobody knows for how long, so for ever.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 0 : Number.MAX_SAFE_INTEGER;
  }
}

/** Best effort and not durable: what a power cut loses is half a minute of a stale time. */
function writeStale(directory: string, staleMs: number, nowMs: number): void {
  const unfinished = join(directory, `${randomUUID()}.tmp`);
  try {
    writeFileSync(unfinished, JSON.stringify({ staleMs, writtenAtMs: nowMs }), { mode: OWNER_ONLY });
    renameSync(unfinished, join(directory, STALE_FILE));
  } catch {
    rmSync(unfinished, { force: true });
  }
}
