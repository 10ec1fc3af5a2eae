/** The disk that `power-loss.ts` believes in: what is certain, what may be there, and what cannot. */
import { describe, expect, it } from 'vitest';
import { random } from '../domain/random.ts';
import { createDisk } from './lost-power.ts';
import type { Disk } from './lost-power.ts';
import type { DiskCall } from './system-calls.ts';

const SECTOR = 512;

function after(...calls: readonly DiskCall[]): Disk {
  const disk = createDisk('/d');
  calls.forEach(disk.call);
  return disk;
}

const open = (fd: number, path: string): DiskCall => ({ kind: 'open', fd, path, create: true, truncate: false });
const write = (fd: number, bytes: Buffer, offset?: number): DiskCall => ({ kind: 'write', fd, bytes, offset });
const sync = (fd: number): DiskCall => ({ kind: 'sync', fd });
const FOLDER = 9;
const syncFolder: readonly DiskCall[] = [{ kind: 'open', fd: FOLDER, path: '/d', create: false, truncate: false }, sync(FOLDER)];
const text = (disk: Disk, which: 'certain' | 'everything', path = '/d/a') => disk.survives(which).get(path)?.toString();

/** All that a thousand throws give, as texts of one file. */
function possible(disk: Disk, path = '/d/a'): ReadonlySet<string | undefined> {
  const dice = random(1);
  return new Set(Array.from({ length: 1_000 }, () => disk.survives(dice).get(path)?.toString()));
}

describe('a disk whose power fails', () => {
  it('is certain of a file once it and its name were synced, and of neither before', () => {
    const written = [open(3, '/d/a'), write(3, Buffer.from('one'))];
    expect(text(after(...written), 'certain')).toBeUndefined();
    expect(text(after(...written), 'everything')).toBe('one');
    expect(text(after(...written, sync(3)), 'certain')).toBeUndefined();
    expect(text(after(...written, ...syncFolder), 'certain')).toBe('');
    expect(text(after(...written, sync(3), ...syncFolder), 'certain')).toBe('one');
    expect(possible(after(...written, sync(3), ...syncFolder))).toEqual(new Set(['one']));
  });

  it('tears writes at sectors, in any order, and nowhere else', () => {
    const before = Buffer.alloc(3 * SECTOR, 'o');
    const disk = after(open(3, '/d/a'), write(3, before), sync(3), ...syncFolder, write(3, Buffer.alloc(2 * SECTOR, 'n'), SECTOR));
    const [o, n] = ['o'.repeat(SECTOR), 'n'.repeat(SECTOR)];
    expect(possible(disk)).toEqual(new Set([o + o + o, o + n + o, o + o + n, o + n + n]));
  });

  it('may keep an old name, or the new one, never both', () => {
    const disk = after(open(3, '/d/a'), write(3, Buffer.from('one')), sync(3), ...syncFolder, { kind: 'rename', from: '/d/a', to: '/d/b' });
    expect(text(disk, 'certain')).toBe('one');
    expect([text(disk, 'everything'), text(disk, 'everything', '/d/b')]).toEqual([undefined, 'one']);
    const dice = random(2);
    for (let round = 0; round < 100; round++) expect([...disk.survives(dice).values()].map(String)).toEqual(['one']);
  });

  it('may bring back what was removed or cut, until that was synced', () => {
    const base = [open(3, '/d/a'), write(3, Buffer.from('one')), sync(3), ...syncFolder];
    expect(possible(after(...base, { kind: 'truncate', fd: 3, size: 0 }))).toEqual(new Set(['one', '']));
    expect(possible(after(...base, { kind: 'remove', path: '/d/a' }))).toEqual(new Set(['one', undefined]));
    expect(possible(after(...base, { kind: 'remove', path: '/d/a' }, ...syncFolder))).toEqual(new Set([undefined]));
  });

  it('follows nothing outside its folder', () => {
    expect(after(open(3, '/elsewhere/a'), write(3, Buffer.from('one')), sync(3)).survives('everything').size).toBe(0);
  });
});
