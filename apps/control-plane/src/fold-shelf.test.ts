import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSignerKey } from '@portcullis/tlog';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OPERATOR } from '../../../test/domain/story.ts';
import type { Command } from './domain/command.ts';
import type { Recorded } from './domain/events.ts';
import type { PlaneState } from './domain/state.ts';
import type { Plane } from './plane.ts';
import { openFoldShelf } from './fold-shelf.ts';
import { openPlane } from './plane.ts';

/** Often enough to see every case in a small log. */
const PACE = { least: 30, segment: 64, every: 20 };

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-folds-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function open(dataDir: string, onBug: (error: unknown) => void = () => undefined): Plane {
  const opened = openPlane({ dataDir, now: () => 1_000, folds: PACE, onBug });
  if (!opened.ok) throw new Error(opened.problem);
  cleanups.push(() => opened.plane.close());
  return opened.plane;
}

const restrict = (n: number): Command => ({ kind: 'restrict', selector: { server: [`s${n}`], labels: {} }, tools: null, readOnly: false, expiresAtMs: null });

/** Below what one operator may have. */
const MOST_ACTIVE = 90;

/** Adds events up to a size, restrictions and lifts in turn, each with an idempotency key. */
function grow(plane: Plane, size: number): readonly Recorded[] {
  const all: Recorded[] = [];
  while (plane.state().size < size) {
    const n = plane.state().size;
    const { restrictions } = plane.state();
    const [first] = restrictions.keys();
    const command: Command = (n % 3 === 0 || restrictions.size >= MOST_ACTIVE) && first !== undefined ? { kind: 'lift', restriction: first, expected: null } : restrict(n);
    const done = plane.execute(command, { ...OPERATOR, idem: `key-${n}` });
    if (!done.ok) throw new Error(done.refusal.message);
    all.push(...done.recorded);
  }
  return all;
}

const kept = (dataDir: string): readonly number[] => readdirSync(join(dataDir, 'folds')).map(Number).sort((a, b) => a - b);

/** Alters log.db as somebody would who may write it. */
function intrude(dataDir: string, sql: string): void {
  const db = new Database(join(dataDir, 'log.db'));
  for (const { name } of db.prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'trigger'").all()) db.exec(`DROP TRIGGER ${name}`);
  expect(db.prepare(sql).run().changes).toBeGreaterThan(0);
  db.close();
}

/** Built once: longer than the events of a tile that is not full, which every start reads. */
const BUILT = 600;
let built = '';
let builtState: PlaneState;
beforeAll(() => {
  built = mkdtempSync(join(tmpdir(), 'portcullis-folds-'));
  const plane = open(built);
  grow(plane, BUILT);
  builtState = plane.state();
  plane.close();
});
afterAll(() => rmSync(built, { recursive: true, force: true }));
const copy = (): string => {
  const dataDir = freshFolder();
  cpSync(built, dataDir, { recursive: true });
  return dataDir;
};

describe('kept folds', () => {
  it('[L5] give the state, the past and the versions that the whole log gives, at every size', () => {
    const quick = freshFolder();
    for (let size = 2; size <= 200; size += 7) {
      const plane = open(quick);
      grow(plane, size);
      const before = plane.state();
      plane.close();
      const again = open(quick);
      expect(again.state()).toEqual(before);
      expect(again.history.versionAt(size - 1)).toBe(size - 1);
      again.close();
    }
    expect(kept(quick)).toEqual([64, 128, 192, 198]);
    const plane = open(quick);
    const states = Array.from({ length: plane.state().size }, (_, seq) => plane.history.stateAt(seq));
    plane.close();
    rmSync(join(quick, 'folds'), { recursive: true });
    const whole = open(quick);
    expect(states).toEqual(states.map((_, seq) => whole.history.stateAt(seq)));
    expect(kept(quick)).toEqual([64, 128, 192]);
  });

  it('[L5] are passed over where one is missing, altered, of another key or of another log', () => {
    const other = freshFolder();
    const stranger = open(other);
    grow(stranger, 150);
    stranger.close();
    const damages: readonly (readonly [string, (folds: string) => void])[] = [
      ['missing', (folds) => rmSync(join(folds, '64'))],
      ['empty', (folds) => writeFileSync(join(folds, '128'), '')],
      ['altered', (folds) => writeFileSync(join(folds, '600'), readFileSync(join(folds, '600'), 'utf8').replace('"readOnly":false', '"readOnly":true'))],
      ['renamed', (folds) => writeFileSync(join(folds, '599'), readFileSync(join(folds, '600')))],
      ['of another log', (folds) => writeFileSync(join(folds, '600'), readFileSync(join(other, 'folds', '150')))],
      ['not a number', (folds) => writeFileSync(join(folds, '__proto__'), 'x')],
    ];
    for (const [name, damage] of damages) {
      const dataDir = copy();
      damage(join(dataDir, 'folds'));
      const again = open(dataDir);
      expect(again.state(), name).toEqual(builtState);
      again.close();
    }
  });

  it('[L5] of a log that was put back to an earlier time are not used', () => {
    const dataDir = freshFolder();
    const plane = open(dataDir);
    grow(plane, 100);
    plane.close();
    const earlier = readFileSync(join(dataDir, 'log.db'));
    const on = open(dataDir);
    grow(on, 150);
    on.close();
    writeFileSync(join(dataDir, 'log.db'), earlier);
    const restored = open(dataDir);
    expect(restored.state().size).toBe(100);
    for (let n = 0; n < 50; n++) restored.execute(restrict(5_000 + n), OPERATOR);
    const before = restored.state();
    restored.close();
    expect(open(dataDir).state()).toEqual(before);
  });

  it('[L6] do not forget idempotency keys that the state no longer holds', () => {
    const dataDir = freshFolder();
    const plane = open(dataDir);
    const events = grow(plane, 110);
    expect(plane.state().idempotency.size).toBe(50);
    const first = events[0]!;
    expect(plane.execute(restrict(1), { ...OPERATOR, idem: 'key-1' })).toMatchObject({ ok: true, replayed: true, recorded: [{ id: first.id }] });
    expect(plane.execute(restrict(2), { ...OPERATOR, idem: 'key-1' })).toMatchObject({ ok: false, refusal: { code: 'idempotency-conflict' } });
    plane.close();
    expect(open(dataDir).execute(restrict(1), { ...OPERATOR, idem: 'key-1' })).toMatchObject({ ok: true, replayed: true, recorded: [{ id: first.id }] });
  });
});

describe('after a quick start', () => {
  it.each([
    ['an entry', `UPDATE events SET entry = replace(entry, '"op-1"', '"op-2"') WHERE seq = 5`, /event 5 is not what was recorded/],
    ['an event that is gone', 'DELETE FROM events WHERE seq = 3', /event 3 is missing/],
    ['a reason', `UPDATE payloads SET body = CAST('other' AS BLOB) WHERE sha256 = (SELECT reason FROM events WHERE seq = 9)`, /payload of event 9 is not what was recorded/],
  ])('[L4] an altered log is found while the plane runs, which then records nothing, and does not start again: %s', async (_name, sql, expected) => {
    const dataDir = copy();
    intrude(dataDir, sql);
    const found = await new Promise((resolve) => {
      const plane = open(dataDir, (bug) => {
        expect(plane.execute(restrict(1), OPERATOR)).toMatchObject({ ok: false, refusal: { code: 'unavailable' } });
        plane.close();
        resolve(bug);
      });
      expect(plane.execute(restrict(0), OPERATOR)).toMatchObject({ ok: true });
    });
    expect(String(found)).toMatch(expected);
    expect(openPlane({ dataDir, now: () => 1_000, folds: PACE })).toMatchObject({ ok: false, problem: expect.stringMatching(expected) as string });
  });

  it.each([
    ['the last events', 'DELETE FROM events WHERE seq >= 590'],
    ['the last event', `UPDATE events SET entry = replace(entry, '"op-1"', '"op-2"') WHERE seq = 599`],
    ['the tiles', 'UPDATE tiles SET hashes = zeroblob(8192)'],
    ['the signed head', `UPDATE checkpoints SET note = replace(note, 'portcullis', 'Portcullis') WHERE size = 600`],
  ])('[L4] an altered end is found at once: %s', (_name, sql) => {
    const dataDir = copy();
    intrude(dataDir, sql);
    const again = openPlane({ dataDir, now: () => 1_000, folds: PACE });
    if (again.ok) again.plane.close();
    expect(again.ok || again.problem).toMatch(/event|root|signed|hashes/);
  });

  it('[L5] a kept fold that says something else than its events is found, though the key of the plane signed it; a restart has the true state', async () => {
    const dataDir = copy();
    const truth = openPlane({ dataDir: copy(), now: () => 1_000, folds: { ...PACE, least: 1e9 } });
    if (!truth.ok) throw new Error(truth.problem);
    const parsed = parseSignerKey(readFileSync(join(dataDir, 'keys', 'plane.key'), 'utf8').trim());
    if (!parsed.ok) throw new Error('no key');
    const shelf = openFoldShelf(dataDir, parsed.signer);
    const { from, size, root, index } = shelf.folds().at(-1)!;
    shelf.keep({ from, size, root }, index(), { ...shelf.stateAt(size)!, restrictions: new Map() });
    const found = await new Promise((resolve) => {
      const plane = open(dataDir, (bug) => {
        expect(plane.execute(restrict(1), OPERATOR)).toMatchObject({ ok: false, refusal: { code: 'unavailable' } });
        plane.close();
        resolve(bug);
      });
    });
    expect(String(found)).toMatch(/it was altered; the kept folds were deleted/);
    expect(open(dataDir).state()).toEqual(truth.plane.state());
    truth.plane.close();
  });

  it('an erased text is no damage: the folds that still hold it are dropped, and the plane goes on', async () => {
    const dataDir = copy();
    expect(readFileSync(join(dataDir, 'folds', '600'), 'utf8')).toContain('because');
    const db = new Database(join(dataDir, 'log.db'));
    db.exec('UPDATE payloads SET salt = NULL, body = NULL WHERE salt IS NOT NULL');
    db.close();
    const found = await new Promise((resolve) => {
      const plane = open(dataDir, (bug) => {
        expect(plane.execute(restrict(1), OPERATOR)).toMatchObject({ ok: true });
        plane.close();
        resolve(bug);
      });
    });
    expect(String(found)).toMatch(/holds a text that was erased/);
    expect(() => kept(dataDir)).toThrow();
    expect([...open(dataDir).state().restrictions.values()][0]?.restriction.reason).toBe('(erased)');
  });
});
