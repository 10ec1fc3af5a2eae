/**
 * What a disk may hold when the power fails. A write is certain once its file was synced, a name once its folder was; until then any part
 * of a write may be there, sector by sector, and any beginning of the changes of names.
 */
import type { Random } from '../domain/random.ts';
import type { DiskCall } from './system-calls.ts';

/** What a disk writes whole. */
const SECTOR = 512;

type Change = { readonly kind: 'write'; readonly at: number; readonly bytes: Buffer } | { readonly kind: 'truncate'; readonly size: number };
type Naming = { readonly kind: 'name' | 'folder'; readonly path: string; readonly file: number } | { readonly kind: 'remove'; readonly path: string } | { readonly kind: 'rename'; readonly from: string; readonly to: string };

interface TracedFile {
  certain: Buffer;
  pending: Change[];
}

/** A disk that follows a trace. */
export interface Disk {
  readonly call: (call: DiskCall) => void;
  /** Files by path, as they may be found after the power failed now. */
  readonly survives: (which: 'certain' | 'everything' | Random) => ReadonlyMap<string, Buffer>;
}

/** @param folder only what lies below it is followed; it is there already, and empty */
export function createDisk(folder: string): Disk {
  const files: TracedFile[] = [];
  const fds = new Map<number, { readonly file: number | undefined; readonly path: string; position: number }>();
  const certainNames = new Map<string, number | 'folder'>();
  let names = new Map<string, number | 'folder'>();
  const namings: Naming[] = [];

  const rename = (change: Naming): void => {
    namings.push(change);
    names = new Map(names);
    applyNaming(names, change);
  };
  const change = (fd: number, made: (position: number) => Change): void => {
    const open = fds.get(fd);
    const file = open?.file === undefined ? undefined : files[open.file];
    if (open === undefined || file === undefined) return;
    const one = made(open.position);
    file.pending.push(one);
    if (one.kind === 'write') open.position = one.at + one.bytes.length;
  };
  const open = (call: Extract<DiskCall, { kind: 'open' }>): void => {
    if (call.path !== folder && !call.path.startsWith(`${folder}/`)) {
      fds.delete(call.fd);
      return;
    }
    let file = names.get(call.path);
    if (file === undefined && call.create) {
      file = files.push({ certain: Buffer.alloc(0), pending: [] }) - 1;
      rename({ kind: 'name', path: call.path, file });
    }
    fds.set(call.fd, { file: typeof file === 'number' ? file : undefined, path: call.path, position: 0 });
    if (call.truncate) change(call.fd, () => ({ kind: 'truncate', size: 0 }));
  };
  const sync = (fd: number): void => {
    const synced = fds.get(fd);
    if (synced === undefined) return;
    const file = synced.file === undefined ? undefined : files[synced.file];
    if (file !== undefined) {
      file.certain = withChanges(file.certain, file.pending);
      file.pending = [];
      return;
    }
    // A folder: names in it, and in the order of the journal all that were changed before them.
    const last = namings.findLastIndex((naming) => parents(naming).includes(synced.path));
    for (const naming of namings.splice(0, last + 1)) applyNaming(certainNames, naming);
  };

  return {
    call(call) {
      switch (call.kind) {
        case 'open':
          return open(call);
        case 'close':
          fds.delete(call.fd);
          return;
        case 'write':
          return change(call.fd, (position) => ({ kind: 'write', at: call.offset ?? position, bytes: call.bytes }));
        case 'truncate':
          return change(call.fd, () => ({ kind: 'truncate', size: call.size }));
        case 'sync':
          return sync(call.fd);
        case 'folder':
          if (call.path.startsWith(`${folder}/`)) rename({ kind: 'folder', path: call.path, file: -1 });
          return;
        case 'remove':
          if (names.has(call.path)) rename({ kind: 'remove', path: call.path });
          return;
        case 'rename':
          if (names.has(call.from)) rename({ kind: 'rename', from: call.from, to: call.to });
          return;
        case 'printed':
      }
    },
    survives(which) {
      const found = new Map(certainNames);
      const kept = which === 'certain' ? 0 : which === 'everything' ? namings.length : which.int(namings.length + 1);
      for (const naming of namings.slice(0, kept)) applyNaming(found, naming);
      const state = new Map<string, Buffer>();
      for (const [path, file] of found) {
        const traced = file === 'folder' ? undefined : files[file];
        // What readers share while it is open is made anew after a crash.
        if (traced === undefined || path.endsWith('-shm')) continue;
        // 16 MiB whose bytes mean nothing: that it is there is enough.
        if (path.endsWith('/ballast')) {
          state.set(path, Buffer.from('small'));
          continue;
        }
        const changes = which === 'certain' ? [] : which === 'everything' ? traced.pending : someOf(traced.pending, which);
        state.set(path, withChanges(traced.certain, changes));
      }
      return state;
    },
  };
}

function applyNaming(names: Map<string, number | 'folder'>, naming: Naming): void {
  if (naming.kind === 'remove') {
    names.delete(naming.path);
  } else if (naming.kind === 'rename') {
    const file = names.get(naming.from);
    names.delete(naming.from);
    if (file !== undefined) names.set(naming.to, file);
  } else {
    names.set(naming.path, naming.kind === 'folder' ? 'folder' : naming.file);
  }
}

function parents(naming: Naming): readonly string[] {
  return (naming.kind === 'rename' ? [naming.from, naming.to] : [naming.path]).map((path) => path.slice(0, path.lastIndexOf('/')));
}

function withChanges(before: Buffer, changes: readonly Change[]): Buffer {
  if (changes.length === 0) return before;
  const room = Math.max(before.length, ...changes.map((change) => (change.kind === 'truncate' ? change.size : change.at + change.bytes.length)));
  const bytes = Buffer.alloc(room);
  before.copy(bytes);
  let size = before.length;
  for (const change of changes) {
    if (change.kind === 'truncate') {
      bytes.fill(0, change.size, Math.max(size, change.size));
      size = change.size;
    } else {
      change.bytes.copy(bytes, change.at);
      size = Math.max(size, change.at + change.bytes.length);
    }
  }
  return bytes.subarray(0, size);
}

/** Each sector of each write reached the disk or did not. */
function someOf(changes: readonly Change[], dice: Random): readonly Change[] {
  const some: Change[] = [];
  for (const change of changes) {
    if (change.kind === 'truncate') {
      if (dice.chance(0.5)) some.push(change);
      continue;
    }
    for (let from = 0; from < change.bytes.length; ) {
      const to = Math.min(change.bytes.length, from + SECTOR - ((change.at + from) % SECTOR));
      if (dice.chance(0.5)) some.push({ kind: 'write', at: change.at + from, bytes: change.bytes.subarray(from, to) });
      from = to;
    }
  }
  return some;
}
