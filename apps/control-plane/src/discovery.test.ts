import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discoveryFile, portcullisHome, readDiscovery, readSecret, removeDiscovery, writeDiscovery, writeSecret } from './discovery.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'portcullis-home-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const PLANE = { url: 'http://127.0.0.1:7420', log: 'plane.example/1', publicKey: 'A'.repeat(43) + '=', tokens: { responder: '/a', admin: '/b' }, pid: 12, dataDir: '/d', startedAt: '2026-01-05T12:00:00Z' };

describe('plane.json', () => {
  it('is read as it was written, by its owner alone, and leaves nothing beside it', () => {
    writeDiscovery(home, PLANE);
    expect(readDiscovery(home)).toEqual(PLANE);
    expect(statSync(discoveryFile(home)).mode & 0o777).toBe(0o600);
    expect(readdirSync(home)).toEqual(['plane.json']);
  });

  it('is taken back by the process that wrote it only', () => {
    writeDiscovery(home, PLANE);
    for (const other of [{ pid: 13 }, { dataDir: '/e' }, { startedAt: '2026-01-05T12:00:01Z' }]) {
      removeDiscovery(home, { ...PLANE, ...other });
      expect(readDiscovery(home)).toBeDefined();
    }
    removeDiscovery(home, PLANE);
    expect(readDiscovery(home)).toBeUndefined();
  });

  it('is nothing where it is missing, cut short, too large or something else', () => {
    expect(readDiscovery(home)).toBeUndefined();
    for (const text of ['', '{', 'null', '[]', '{"url":1}', JSON.stringify({ ...PLANE, tokens: null }), JSON.stringify({ ...PLANE, url: 'nowhere' }), JSON.stringify({ ...PLANE, pid: 'x' }), JSON.stringify({ ...PLANE, publicKey: undefined }), JSON.stringify({ ...PLANE, log: 7 }), JSON.stringify({ ...PLANE, extra: 'x'.repeat(100_000) })]) {
      writeFileSync(discoveryFile(home), text);
      expect(readDiscovery(home), text.slice(0, 40)).toBeUndefined();
    }
  });

  it('lies in PORTCULLIS_HOME, or in the home directory', () => {
    expect(portcullisHome({ PORTCULLIS_HOME: '/x' })).toBe('/x');
    expect(portcullisHome({ PORTCULLIS_HOME: '' })).toMatch(/\.portcullis$/);
  });
});

describe('secrets', () => {
  it('replace what was readable by others', () => {
    const file = join(home, 'deep/er/secret');
    writeSecret(file, 'one');
    writeFileSync(join(home, 'open'), 'x', { mode: 0o644 });
    writeSecret(join(home, 'open'), 'two');
    expect([readSecret(file), readSecret(join(home, 'open'))]).toEqual(['one', 'two']);
    expect(statSync(join(home, 'open')).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, 'deep')).mode & 0o777).toBe(0o700);
  });
});
