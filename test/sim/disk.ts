/**
 * A disk that can lose what was not synced, refuse to write, and rot. A file is an inode with what processes see and what a power cut
 * leaves; a folder has the names that processes see, those that are durable, and the changes between the two.
 */
import { basename, dirname } from 'node:path';
import type { Random } from '../random.ts';
import type { Disk } from '../../apps/proxy/src/store/disk.ts';
import type { Process } from './time.ts';

export interface SimDisk {
  /** The disk as one process uses it: its operations end with it. */
  seenBy(process: Process): Disk;
  /** Everything that was not synced is there, or not, or in part. */
  powerCut(): void;
  /** From now on writes fail (`ENOSPC`), until they do not. */
  full: boolean;
  /** Operations take so long, in milliseconds. */
  slowness: number;
  /** Flips a bit of a record; says which. */
  rot(pattern: RegExp): string | null;
  names(folder: string): readonly string[];
  /** When a file got its name last, on the monotonic clock of its machine. */
  namedAtMono(file: string): number;
  /** The disk as a power cut right now would leave it at worst: only what is durable. */
  durable(process: Process): Disk;
}

interface Inode {
  bytes: Buffer;
  synced: Buffer | null;
}

interface Folder {
  names: Map<string, Inode>;
  durable: Map<string, Inode>;
  /** Changes of names since the folder was synced. */
  journal: ((names: Map<string, Inode>) => void)[];
}

/** As Node says it: a code that callers look at. */
function diskError(code: string, file: string): Error {
  return Object.assign(new Error(`${code}: ${file}`), { code });
}

export function makeDisk(random: Random): SimDisk {
  const folders = new Map<string, Folder>();
  const named = new Map<string, number>();
  let unfinished = 0;
  const folderOf = (path: string): Folder => {
    const folder = folders.get(path);
    if (folder === undefined) throw diskError('ENOENT', path);
    return folder;
  };
  const change = (path: string, apply: (names: Map<string, Inode>) => void): void => {
    const folder = folderOf(path);
    apply(folder.names);
    folder.journal.push(apply);
  };
  const link = (file: string, inode: Inode): void => change(dirname(file), (names) => names.set(basename(file), inode));
  const unlink = (file: string): void => change(dirname(file), (names) => names.delete(basename(file)));
  const find = (file: string): Inode => {
    const inode = folders.get(dirname(file))?.names.get(basename(file));
    if (inode === undefined) throw diskError('ENOENT', file);
    return inode;
  };
  const rename = (from: string, to: string): void => {
    const inode = find(from);
    change(dirname(from), (names) => {
      names.delete(basename(from));
      names.set(basename(to), inode);
    });
  };
  const simulated: SimDisk = {
    full: false,
    slowness: 2,
    seenBy: (process) => ({
      unusedName: () => `unfinished-${++unfinished}`,
      ...later(process, simulated, { find, link, unlink, rename, folderOf }, random),
      makeFolder: (path) => {
        if (!folders.has(path)) folders.set(path, { names: new Map(), durable: new Map(), journal: [] });
      },
      names: (path) => [...folderOf(path).names.keys()],
      read: (file, most) => {
        const { bytes } = find(file);
        if (bytes.length > most) throw diskError('EFBIG', file);
        return bytes;
      },
      ageMs: (file) => (find(file), 0),
      remove: unlink,
      create: (file, text) => {
        if (simulated.full) throw diskError('ENOSPC', file);
        link(file, { bytes: Buffer.from(text), synced: null });
      },
      rename: (from, to) => {
        rename(from, to);
        named.set(to, process.machine.monoMs());
      },
    }),
    powerCut: () => {
      for (const folder of folders.values()) cut(folder, random);
    },
    rot: (pattern) => {
      const files = [...folders].flatMap(([path, { names }]) => [...names].filter(([name]) => pattern.test(name)).map(([name, inode]) => ({ file: `${path}/${name}`, inode })));
      if (files.length === 0) return null;
      const { file, inode } = random.pick(files);
      const bytes = Buffer.from(inode.bytes);
      if (bytes.length === 0) return null;
      const at = random.below(bytes.length);
      bytes[at] = bytes[at]! ^ (1 << random.below(8));
      inode.bytes = bytes;
      inode.synced = bytes;
      return file;
    },
    names: (path) => [...(folders.get(path)?.names.keys() ?? [])],
    namedAtMono: (file) => named.get(file) ?? Number.NEGATIVE_INFINITY,
    durable: (process) => ({
      ...simulated.seenBy(process),
      names: (path) => [...folderOf(path).durable.keys()],
      read: (file) => {
        const bytes = folderOf(dirname(file)).durable.get(basename(file))?.synced;
        if (bytes === undefined || bytes === null) throw diskError('ENOENT', file);
        return bytes;
      },
    }),
  };
  return simulated;
}

interface Operations {
  readonly find: (file: string) => Inode;
  readonly link: (file: string, inode: Inode) => void;
  readonly unlink: (file: string) => void;
  readonly rename: (from: string, to: string) => void;
  readonly folderOf: (path: string) => Folder;
}

/** What takes time: the effect comes half-way, the answer at the end, and neither after the process has ended. */
function later(process: Process, disk: SimDisk, { find, link, unlink, rename, folderOf }: Operations, random: Random): Pick<Disk, 'writeDurably' | 'renameLater' | 'syncFolder' | 'namesLater' | 'removeLater'> {
  const take = <T>(effect: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const half = (random.below(1000) / 1000) * disk.slowness;
      process.after(half, () => {
        try {
          const value = effect();
          process.after(half, () => resolve(value));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  return {
    writeDurably: async (file, bytes) => {
      if (disk.full) throw diskError('ENOSPC', file);
      const inode: Inode = { bytes: Buffer.from(bytes.subarray(0, random.below(bytes.length + 1))), synced: null };
      link(file, inode);
      await take(() => void (inode.bytes = Buffer.from(bytes)));
      await take(() => void (inode.synced = inode.bytes));
    },
    renameLater: (from, to) => take(() => rename(from, to)),
    syncFolder: (path) =>
      take(() => {
        const folder = folderOf(path);
        folder.durable = new Map(folder.names);
        folder.journal = [];
      }),
    namesLater: (path) => take(() => [...folderOf(path).names.keys()]),
    removeLater: (file) => take(() => void (find(file), unlink(file))).catch(() => undefined),
  };
}

/** Each change of a name since the last sync may have reached the disk by itself or not; so may each part of what was written. */
function cut(folder: Folder, random: Random): void {
  const names = new Map(folder.durable);
  for (const apply of folder.journal) if (random.chance(0.5)) apply(names);
  for (const inode of names.values()) {
    if (inode.synced === inode.bytes) continue;
    const written = inode.bytes;
    const left = random.below(3);
    inode.bytes = left === 0 ? written : left === 1 ? written.subarray(0, random.below(written.length + 1)) : Buffer.alloc(written.length);
    inode.synced = inode.bytes;
  }
  folder.names = names;
  folder.durable = new Map(names);
  folder.journal = [];
}
