import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder, makeFolders } from './folder.ts';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'portcullis-folder-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

describe('a folder', () => {
  it('is made in one that is there, with its mode, and made twice is made once', () => {
    for (let n = 0; n < 2; n++) expect(makeFolder(join(place, 'data'), 0o700)).toBeUndefined();
    expect(statSync(join(place, 'data')).mode & 0o777).toBe(0o700);
  });

  it('is not made where something is in the way, which is named', () => {
    expect(makeFolder(join(place, 'a/b'), 0o700)).toBe(`cannot be made, because ${join(place, 'a')} is not there: make that first`);
    expect(existsSync(join(place, 'a'))).toBe(false);
    writeFileSync(join(place, 'file'), '');
    expect(makeFolder(join(place, 'file'), 0o700)).toBe('is a file and no directory');
    expect(makeFolder(join(place, 'file/b'), 0o700)).toMatch(/^cannot be made: ENOTDIR/);
    symlinkSync(join(place, 'nowhere'), join(place, 'link'));
    expect(makeFolder(join(place, 'link'), 0o700)).toMatch(/^cannot be made: ENOENT/);
  });

  it('is made with those above it where that is asked for', () => {
    makeFolders(join(place, 'a/b/c'), 0o700);
    makeFolders(join(place, 'a/b/c'), 0o700);
    expect(['a', 'a/b', 'a/b/c'].map((at) => statSync(join(place, at)).mode & 0o777)).toEqual([0o700, 0o700, 0o700]);
    writeFileSync(join(place, 'file'), '');
    expect(() => makeFolders(join(place, 'file/b'), 0o700)).toThrow(/ENOTDIR/);
  });
});
