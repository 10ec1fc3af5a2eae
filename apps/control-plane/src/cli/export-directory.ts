/** The directory that `portcullis log export` writes: into a new one, or over an earlier export of the same log. */
import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CHECKPOINT_PATH } from '@portcullis/tlog';
import type { VerifierKey } from '@portcullis/tlog';
import type { ExportedFile } from '../log/export.ts';
import { claimedKey } from './payload-check.ts';

/** The page about checking, the one file that is written anew each time. */
export const GUIDE_PATH = 'AUDIT.md';

/** Why nothing is to be written there: it is neither new, nor empty, nor an earlier export of this log. */
export function mayWriteInto(out: string, key: VerifierKey | undefined): string | undefined {
  if (!existsSync(out) || readdirSync(out).length === 0) return undefined;
  const there = claimedKey((file) => readIfThere(`${out}/${file}`));
  if (key !== undefined && there?.name === key.name && there.id === key.id) return undefined;
  return `${out} holds something else than an export of ${key?.name ?? 'this log'}. Choose an empty directory.`;
}

/** Writes what is not there yet; the number of files written. The checkpoint goes last, so that a directory never claims more than it holds. */
export function writeDirectory(out: string, files: Iterable<ExportedFile>): number {
  const write = existsSync(path.join(out, CHECKPOINT_PATH)) ? updater(out) : filler(out);
  let checkpoint: ExportedFile | undefined;
  let written = 0;
  for (const file of files) {
    if (file.path === CHECKPOINT_PATH) checkpoint = file;
    else if (write(file)) written += 1;
  }
  if (checkpoint !== undefined) replace(path.join(out, CHECKPOINT_PATH), checkpoint.bytes);
  return written;
}

/** True where the file was written. */
type Write = (file: ExportedFile) => boolean;

/** Without a checkpoint nothing in the directory counts yet, so that files are written in place. */
function filler(out: string): Write {
  const folders = new Set<string>();
  return (file) => {
    const target = path.join(out, file.path);
    const folder = path.dirname(target);
    if (!folders.has(folder)) mkdirSync(folder, { recursive: true });
    folders.add(folder);
    writeFileSync(target, file.bytes);
    return true;
  };
}

/** What is there already is never touched, but for the guide: published files do not change. */
function updater(out: string): Write {
  const folders = new Map<string, ReadonlySet<string>>();
  const namesIn = (folder: string): ReadonlySet<string> => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    mkdirSync(folder, { recursive: true });
    const names = new Set(readdirSync(folder));
    folders.set(folder, names);
    return names;
  };
  return (file) => {
    const target = path.join(out, file.path);
    const name = path.basename(target);
    if (namesIn(path.dirname(target)).has(name) && name !== GUIDE_PATH) return false;
    replace(target, file.bytes);
    return true;
  };
}

/** Nobody ever finds half a file under its name. */
function replace(file: string, bytes: Uint8Array): void {
  writeFileSync(`${file}.tmp`, bytes);
  renameSync(`${file}.tmp`, file);
}

/** A bundle has at most 16 MiB, a normalised policy less: what is larger is no file of a log. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/**
 * The bytes of a file of an exported log. Undefined where there is none, and where what lies there cannot be one: a folder, a device, a pipe, something
 * huge. Asks once: an exported log is a file for each event and more.
 */
export function readIfThere(file: string): Buffer | undefined {
  let fd: number;
  try {
    // Opening a pipe would wait for somebody who writes into it.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'ENXIO' || error.code === 'ELOOP')) return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    return stats.isFile() && stats.size <= MAX_FILE_BYTES ? readFileSync(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}
