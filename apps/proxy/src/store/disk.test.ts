import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type * as promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fileSystem } from './disk.ts';

/** What was done with open files, in order: nothing else tells a sync that happened from one that did not. */
const done = vi.hoisted((): string[] => []);
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof promises>();
  const open = async (file: string, ...how: [string, number?]): Promise<promises.FileHandle> => {
    const handle = await real.open(file, ...how);
    const name = file.slice(file.lastIndexOf('/') + 1);
    return new Proxy(handle, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const result: unknown = Reflect.apply(value, target, args);
          return result instanceof Promise ? result.then((answer: unknown) => (done.push(`${String(key)} ${name}`), answer)) : result;
        };
      },
    });
  };
  return { ...real, open };
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-disk-'));
  done.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the file system', () => {
  it('[W9] has synced what it wrote durably, after the last byte', async () => {
    const file = join(directory, 'record');
    await fileSystem.writeDurably(file, Buffer.from('x'.repeat(100_000)));
    expect(readFileSync(file, 'utf8')).toHaveLength(100_000);
    expect(done).toEqual(['writeFile record', 'sync record', 'close record']);
  });

  it('[W9] has synced the folder itself', async () => {
    await fileSystem.syncFolder(directory);
    expect(done).toEqual([`sync ${basename(directory)}`, `close ${basename(directory)}`]);
  });
});
