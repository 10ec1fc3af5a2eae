/**
 * Decisions that wait on disk while there is no plane: files of about a megabyte, each removed when the plane has it.
 * Files of processes that are gone are taken over. Beyond the bound the oldest go first.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { appendFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decisionRow, shape } from '@portcullis/policy-core';
import type { DecisionRow } from '@portcullis/policy-core';
import { isAlive } from './alive.ts';

export interface Spool {
  /** Writes rows, and returns about how many were given up for them. Never throws. */
  append(rows: readonly DecisionRow[]): Promise<number>;
  /** The rows of the oldest file; null where none is left. What it returned before is done with, and removed. */
  next(): Promise<DecisionRow[] | null>;
}

/** About 150,000 decisions while the plane is away; then the oldest files go. */
const MAX_SPOOL_BYTES = 64 * 1024 * 1024;
const FILE = /^(\d{15})-(\d+)-(\d+)\.jsonl$/;
/** A file that is larger is not added to. */
const FULL_FILE_BYTES = 1024 * 1024;
const MAX_FILE_BYTES = 32 * 1024 * 1024;
const TYPICAL_ROW_BYTES = 400;

interface SpoolFile {
  readonly path: string;
  bytes: number;
}

/** Opens the spool in a directory that all processes of one server share. Throws where it cannot be made. */
export function openSpool(directory: string, now: () => number): Spool {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const files = orphans(directory);
  let reading: SpoolFile | null = null;
  let growing: SpoolFile | null = null;
  let serial = 0;

  async function append(rows: readonly DecisionRow[]): Promise<number> {
    const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    if (growing === null || growing.bytes > FULL_FILE_BYTES) {
      serial += 1;
      growing = { path: join(directory, `${String(now()).padStart(15, '0')}-${process.pid}-${serial}.jsonl`), bytes: 0 };
      files.push(growing);
    }
    try {
      await appendFile(growing.path, text, { mode: 0o600 });
      growing.bytes += Buffer.byteLength(text);
    } catch {
      return rows.length;
    }
    return dropOldest(files);
  }

  async function next(): Promise<DecisionRow[] | null> {
    if (reading !== null) await rm(reading.path, { force: true });
    reading = files.shift() ?? null;
    if (reading === growing) growing = null;
    return reading === null ? null : readRows(reading.path);
  }

  return { append, next };
}

/** Files of processes that are gone, oldest first; taking one over by rename, only one process succeeds. */
function orphans(directory: string): SpoolFile[] {
  const taken: SpoolFile[] = [];
  for (const name of readdirSync(directory).sort()) {
    const [, atMs, pid, serial] = FILE.exec(name) ?? [];
    if (atMs === undefined || pid === undefined || serial === undefined || belongsToAnother(Number(pid))) continue;
    const mine = join(directory, `${atMs}-${process.pid}-${pid}${serial}.jsonl`);
    try {
      renameSync(join(directory, name), mine);
      taken.push({ path: mine, bytes: sizeOf(mine) });
    } catch {
      // Another process took it.
    }
  }
  return taken;
}

function belongsToAnother(pid: number): boolean {
  return pid !== process.pid && isAlive(pid);
}

/** Rows that can be read; a line that was cut off by a crash is passed over, and shows as a gap. */
async function readRows(file: string): Promise<DecisionRow[]> {
  let text: string;
  try {
    if (statSync(file).size > MAX_FILE_BYTES) return [];
    text = await readFile(file, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    const row = shape.readJson(decisionRow, line);
    return row.ok ? [row.value] : [];
  });
}

/** Removes the oldest files until the rest fit; returns about how many rows went. */
function dropOldest(files: SpoolFile[]): number {
  let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let rows = 0;
  while (total > MAX_SPOOL_BYTES) {
    const oldest = files.shift();
    if (oldest === undefined) break;
    rmSync(oldest.path, { force: true });
    total -= oldest.bytes;
    rows += Math.ceil(oldest.bytes / TYPICAL_ROW_BYTES);
  }
  return rows;
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}
