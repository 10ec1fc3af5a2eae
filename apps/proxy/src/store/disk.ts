/**
 * The few things that last good records ask of a file system. A face of its own, because what a crash leaves behind can only be tried
 * on a disk that can be crashed. Everything throws what Node throws.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';

export interface Disk {
  /** A name that no process has given yet, for what is not finished. */
  unusedName(): string;
  makeFolder(folder: string): void;
  names(folder: string): readonly string[];
  /** Throws where the file is larger than `most` bytes. */
  read(file: string, most: number): Buffer;
  /** Milliseconds since it was written last. */
  ageMs(file: string): number;
  /** Removes what may not be there. */
  remove(file: string): void;
  /** Writes a file that is not there yet. Not durable. */
  create(file: string, text: string): void;
  rename(from: string, to: string): void;
  /** Durable when it resolves, under this very name once the folder is. */
  writeDurably(file: string, bytes: Uint8Array): Promise<void>;
  /** Durable once the folder is. */
  renameLater(from: string, to: string): Promise<void>;
  /** Makes what was named or renamed in the folder durable. */
  syncFolder(folder: string): Promise<void>;
  namesLater(folder: string): Promise<readonly string[]>;
  removeLater(file: string): Promise<void>;
}

const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

export const fileSystem: Disk = {
  unusedName: () => randomUUID(),
  makeFolder: (folder) => void mkdirSync(folder, { recursive: true, mode: OWNER_ONLY_DIRECTORY }),
  names: (folder) => readdirSync(folder),
  read: (file, most) => {
    const { size } = statSync(file);
    if (size > most) throw new Error(`${file} has ${size} bytes, at most ${most} are read`);
    return readFileSync(file);
  },
  ageMs: (file) => Date.now() - statSync(file).mtimeMs,
  remove: (file) => rmSync(file, { force: true }),
  create: (file, text) => writeFileSync(file, text, { mode: OWNER_ONLY, flag: 'wx' }),
  rename: (from, to) => renameSync(from, to),
  writeDurably: async (file, bytes) => {
    const handle = await open(file, 'w', OWNER_ONLY);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  renameLater: (from, to) => rename(from, to),
  syncFolder: async (folder) => {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  namesLater: (folder) => readdir(folder),
  removeLater: (file) => rm(file, { force: true }),
};
