import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/world/process.ts';
import { keepDiscovery, otherPlane } from './discovery-keeper.ts';
import { discoveryFile, readDiscovery, writeDiscovery } from './discovery.ts';
import type { Discovery } from './discovery.ts';
import { isDataDirectoryLocked, lockDataDirectory } from './log/lock.ts';

let folder: string;
let home: string;
const undo: (() => void)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-home-'));
  home = join(folder, 'home');
});
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
  rmSync(folder, { recursive: true, force: true });
});

function planeIn(name: string): Discovery {
  const dataDir = join(folder, name);
  mkdirSync(dataDir, { recursive: true });
  return { url: `http://127.0.0.1:1/${name}`, log: `plane.example/${name}`, publicKey: 'A', tokens: { responder: '/a', admin: '/b' }, pid: process.pid, dataDir, startedAt: '2026-01-05T12:00:00Z' };
}

/** The data directory is held, as by a plane that runs. */
function runs({ dataDir }: Discovery): () => void {
  const locked = lockDataDirectory(dataDir);
  if (!locked.ok) throw new Error(locked.problem);
  undo.push(locked.release);
  return locked.release;
}

describe('the announced plane', () => {
  it('is another one that runs only while somebody holds its data directory', () => {
    const [one, two] = [planeIn('one'), planeIn('two')];
    expect(otherPlane(home, two.dataDir)).toBeUndefined();
    writeDiscovery(home, one);
    expect(otherPlane(home, two.dataDir)).toBeUndefined();
    const end = runs(one);
    expect(otherPlane(home, two.dataDir)).toEqual(one);
    expect(otherPlane(home, one.dataDir)).toBeUndefined();
    end();
    expect(otherPlane(home, two.dataDir)).toBeUndefined();
    rmSync(one.dataDir, { recursive: true });
    expect(otherPlane(home, two.dataDir)).toBeUndefined();
  });

  it('is looked for without making or breaking anything', () => {
    const { dataDir } = planeIn('one');
    expect(isDataDirectoryLocked(join(folder, 'nowhere'))).toBe(false);
    expect(isDataDirectoryLocked(dataDir)).toBe(false);
    writeFileSync(join(dataDir, 'lock.db'), 'no database, and long enough to be looked at as one '.repeat(40));
    expect(isDataDirectoryLocked(dataDir)).toBe(false);
  });
});

describe('an announcement that is kept', () => {
  it('is written again when it vanishes, is damaged or is left of another, and taken back at the end', async () => {
    const [one, dead] = [planeIn('one'), planeIn('dead')];
    const said: string[] = [];
    const stop = keepDiscovery(home, one, (text) => said.push(text), 5);
    undo.push(stop);
    for (const harm of [() => rmSync(discoveryFile(home)), () => rmSync(home, { recursive: true }), () => writeFileSync(discoveryFile(home), '{'), () => writeDiscovery(home, dead)]) {
      harm();
      await until('the announcement', () => readDiscovery(home)?.url === one.url);
    }
    stop();
    expect(readDiscovery(home)).toBeUndefined();
    expect(said).toEqual([]);
  });

  it('leaves that of another plane that runs alone, says so once, and does not take it back', async () => {
    const [one, two] = [planeIn('one'), planeIn('two')];
    const said: string[] = [];
    const stop = keepDiscovery(home, one, (text) => said.push(text), 5);
    undo.push(stop);
    const end = runs(two);
    writeDiscovery(home, two);
    await until('the complaint', () => said.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(said).toEqual([expect.stringMatching(/do not find this plane.*\/two.*PORTCULLIS_HOME/)]);
    expect(readDiscovery(home)).toEqual(two);
    end();
    await until('its turn', () => readDiscovery(home)?.url === one.url);
    writeDiscovery(home, two);
    stop();
    expect(readDiscovery(home)).toEqual(two);
  });
});
