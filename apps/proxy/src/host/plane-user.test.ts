import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readableAdminToken } from './plane-user.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'portcullis-user-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

it('finds the admin token that this user can read, of this very log, and nothing where anything is missing or broken', () => {
  const token = join(home, 'admin.token');
  const announce = (text: string): void => writeFileSync(join(home, 'plane.json'), text);
  expect(readableAdminToken(home, 'log/a')).toBeNull();
  announce(JSON.stringify({ log: 'log/a', tokens: { admin: token } }));
  expect(readableAdminToken(home, 'log/a')).toBeNull();
  writeFileSync(token, 'x');
  expect(readableAdminToken(home, 'log/a')).toBe(token);
  expect(readableAdminToken(home, 'log/b')).toBeNull();
  for (const broken of ['', 'null', '[]', '{"log":"log/a"}', '{"log":"log/a","tokens":null}', '{"log":"log/a","tokens":{"admin":1}}', ' '.repeat(100_000)]) {
    announce(broken);
    expect(readableAdminToken(home, 'log/a'), broken.slice(0, 40)).toBeNull();
  }
});
