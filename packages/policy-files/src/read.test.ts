import { appendFileSync, lstatSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MAX_POLICY_BYTES, readPolicy } from './read.ts';
import { fileSighting } from './see.ts';

const directory = mkdtempSync(join(tmpdir(), 'portcullis-read-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function seen(bytes: string | Buffer) {
  const path = join(directory, `${files++}.yaml`);
  writeFileSync(path, bytes);
  return fileSighting(lstatSync(path, { bigint: true }), path);
}

describe('reading a policy', () => {
  it('gives the bytes and their SHA-256', async () => {
    const taken = await readPolicy('a.yaml', seen('abc'));
    expect(taken).toEqual({ file: { kind: 'content', bytes: Buffer.from('abc'), sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' }, retry: false });
  });

  it('[F4] gives nothing where the file is not the one that was seen: grown, cut, rewritten, replaced, gone, or a link by now', async () => {
    const changes: readonly ((path: string) => void)[] = [
      (path) => appendFileSync(path, 'more\n'),
      (path) => truncateSync(path, 1),
      (path) => writeFileSync(path, 'text\n'),
      (path) => {
        writeFileSync(`${path}.new`, 'text\n');
        renameSync(`${path}.new`, path);
      },
      (path) => rmSync(path),
      (path) => {
        renameSync(path, `${path}.moved`);
        symlinkSync(`${path}.moved`, path);
      },
    ];
    for (const change of changes) {
      const sighting = seen('text\n');
      await new Promise((resolve) => setTimeout(resolve, 12)); // coarse file times move on
      change(sighting.path);
      expect(await readPolicy('a.yaml', sighting), change.toString()).toBeUndefined();
    }
  });

  it('reads a file at the limit, and not one beyond it', async () => {
    expect((await readPolicy('a.yaml', seen(Buffer.alloc(MAX_POLICY_BYTES, '#'))))?.file.kind).toBe('content');
    expect((await readPolicy('a.yaml', seen(Buffer.alloc(MAX_POLICY_BYTES + 1, '#'))))?.file).toMatchObject({ kind: 'unreadable', problem: { code: 'FILE_TOO_LARGE', file: 'a.yaml' } });
  });

  it('refuses what is not UTF-8', async () => {
    expect((await readPolicy('a.yaml', seen(Buffer.from([0xff, 0xfe, 0x61]))))?.file).toMatchObject({ kind: 'unreadable', problem: { code: 'FILE_NOT_UTF8' } });
  });
});
