import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leafHash, openCheckpoint, parseVerifierKey, verifyConsistency, verifyDirectory } from '@portcullis/tlog';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { documentOf, OPERATOR, policyFor } from '../../../test/domain/story.ts';
import type { File } from '../../../test/domain/story.ts';
import { canonicalJson } from '@portcullis/policy-core';
import type { Command, Meta } from './domain/command.ts';
import type { GitFacts } from './domain/events.ts';
import { fold, NOTHING } from './domain/fold.ts';
import { exportLog } from './log/export.ts';
import type { Executed, OpenedPlane, Plane } from './plane.ts';
import { openPlane } from './plane.ts';

const cleanups: (() => void)[] = [];
/** Where each plane's log.db lies. */
const folders = new WeakMap<Plane, string>();
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-plane-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function opened(dataDir: string): Extract<OpenedPlane, { ok: true }> {
  const result = openPlane({ dataDir, now: () => 1_000 });
  if (!result.ok) throw new Error(result.problem);
  cleanups.push(() => result.plane.close());
  folders.set(result.plane, join(dataDir, 'log.db'));
  return result;
}

function problemOf(dataDir: string): string {
  const result = openPlane({ dataDir, now: () => 1_000 });
  if (!result.ok) return result.problem;
  result.plane.close();
  return 'opened';
}

function offer(plane: Plane, files: Readonly<Record<string, File>>, git: GitFacts | null = null): Executed {
  const documents = new Map(Object.entries(files).map(([id, file]) => [id, documentOf(id, file)] as const));
  const contents = new Map<string, Buffer>();
  for (const [id, document] of documents) {
    if (document.kind !== 'valid') continue;
    contents.set(document.textSha256, Buffer.from(files[id] as string));
    contents.set(document.modelSha256, Buffer.from(canonicalJson(document.policy)));
  }
  const meta: Meta = { ...OPERATOR, actor: { kind: 'files', id: 'directory' }, auth: { method: 'none', ref: null }, reason: null };
  return plane.execute({ kind: 'offer', documents, git, removals: 'wait' }, meta, contents);
}

const LOCKDOWN: Command = { kind: 'restrict', selector: { server: [], labels: { env: ['prod'] } }, tools: null, readOnly: false, expiresAtMs: null };
const restrict = (server: string): Command => ({ ...LOCKDOWN, selector: { server: [server], labels: {} } });
const RICH = `${policyFor('a', 'x')}  create:\n    rules:\n      - { name: few, rate_limit: 5/hour }\n      - { name: spend, spend_limit: { amount: args.amount, max: 500, per: day } }\n`;

/** Something of every family of events. */
function busy(plane: Plane): void {
  offer(plane, { 'a.yaml': RICH, 'b.yaml': policyFor('b'), 'bad.yaml': 'version: [', 'gone.yaml': { unreadable: 'EACCES' } });
  offer(plane, { 'a.yaml': policyFor('a', 2), 'b.yaml': policyFor('b') });
  plane.execute({ kind: 'rollback', to: 3, expected: null }, { ...OPERATOR, reason: 'half a pair \ud800' });
  plane.execute(LOCKDOWN, { ...OPERATOR, idem: 'k1' });
  plane.execute({ kind: 'create-join-token', token: 't1', secretSha256: 'a'.repeat(64), labels: { env: 'prod' }, expiresAtMs: OPERATOR.nowMs + 10 }, OPERATOR);
  plane.execute({ kind: 'enrol', token: 't1', secretSha256: 'a'.repeat(64), host: 'h1', name: 'anna-laptop', publicKey: Buffer.alloc(32, 1).toString('base64') }, OPERATOR);
  plane.execute({ kind: 'create-operator-token', token: 'o1', secretSha256: 'b'.repeat(64), name: 'Anna', role: 'admin' }, OPERATOR);
  offer(plane, {});
}

describe('a new data directory', () => {
  it('begins a log, with a key for its owner only and a recovery key to be moved away', () => {
    const dataDir = freshFolder();
    const { plane, keys, initialised } = opened(dataDir);
    expect(plane.state()).toMatchObject({ size: 1, version: 0, policiesVersion: 0, restrictionsVersion: 0, publicKey: keys.publicKey });
    expect(plane.state().log).toMatch(/^portcullis\.local\/[0-9a-f]{8}$/);
    expect(initialised?.recoveryKeyPath).toBe(join(dataDir, 'recovery.key'));
    for (const file of ['keys/plane.key', 'recovery.key']) expect(statSync(join(dataDir, file)).mode & 0o777).toBe(0o600);
    expect(keys.sign(Buffer.from('x'))).toHaveLength(64);
    plane.close();
    rmSync(join(dataDir, 'recovery.key'));
    const again = opened(dataDir);
    expect(again.initialised).toBeNull();
    expect(again.plane.state().recoveryKeySha256).toMatch(/^[0-9a-f]{64}$/);
    // It is not made anew: the log knows one recovery key.
    expect(existsSync(join(dataDir, 'recovery.key'))).toBe(false);
  });

  it('belongs to one plane at a time, and the other is told so', () => {
    const dataDir = freshFolder();
    const { plane } = opened(dataDir);
    expect(problemOf(dataDir)).toContain('in use by another plane');
    plane.close();
    plane.close();
    expect(problemOf(dataDir)).toBe('opened');
  });
});

describe('a data directory without its log', () => {
  const LOSSES: readonly (readonly [string, (dataDir: string) => void])[] = [
    ['deleted', (dataDir) => ['log.db', 'log.db-wal', 'log.db-shm'].forEach((name) => rmSync(join(dataDir, name), { force: true }))],
    ['emptied', (dataDir) => writeFileSync(join(dataDir, 'log.db'), '')],
    ['deleted with the plane key', (dataDir) => ['log.db', 'keys/plane.key'].forEach((name) => rmSync(join(dataDir, name)))],
    ['deleted with all keys', (dataDir) => ['log.db', 'keys', 'recovery.key'].forEach((name) => rmSync(join(dataDir, name), { recursive: true }))],
    ['replaced by a new database', (dataDir) => {
      rmSync(join(dataDir, 'log.db'));
      new Database(join(dataDir, 'log.db')).close();
    }],
  ];
  it.each(LOSSES)('[L4] does not begin a second history where the first was %s', (_what, lose) => {
    const dataDir = freshFolder();
    const { plane } = opened(dataDir);
    busy(plane);
    plane.close();
    lose(dataDir);
    const names = (): readonly string[] => readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter((name) => !/^lock\.|^log\.db/.test(name)).sort();
    const before = names();
    for (let n = 0; n < 2; n++) expect(problemOf(dataDir)).toMatch(/log\.db is missing or empty.*its log is lost.*portcullis log restore/);
    expect(names()).toEqual(before);
  });

  it('touches nothing that is left of it', () => {
    const dataDir = freshFolder();
    opened(dataDir).plane.close();
    rmSync(join(dataDir, 'log.db'));
    writeFileSync(join(dataDir, 'log.db-wal'), 'what was not taken into log.db yet');
    expect(problemOf(dataDir)).toContain('its log is lost');
    expect(readFileSync(join(dataDir, 'log.db-wal'), 'utf8')).toBe('what was not taken into log.db yet');
    expect(existsSync(join(dataDir, 'log.db'))).toBe(false);
  });

  it('goes on with a beginning that was cut short, whatever was made by then', () => {
    const whole = freshFolder();
    opened(whole).plane.close();
    expect(existsSync(join(whole, 'beginning'))).toBe(false);
    const steps = ['beginning', 'keys/plane.key', 'recovery.key', 'log.db'];
    for (let made = 0; made <= steps.length; made++) {
      const dataDir = freshFolder();
      for (const name of steps.slice(0, made)) {
        mkdirSync(join(dataDir, 'keys'), { recursive: true });
        if (existsSync(join(whole, name)) && name !== 'log.db') cpSync(join(whole, name), join(dataDir, name));
        else writeFileSync(join(dataDir, name), '');
      }
      expect(problemOf(dataDir), String(made)).toBe('opened');
      expect(existsSync(join(dataDir, 'beginning')), String(made)).toBe(false);
    }
  });

  it('is told from one that has begun when the first event was the last thing that was done', () => {
    const dataDir = freshFolder();
    opened(dataDir).plane.close();
    writeFileSync(join(dataDir, 'beginning'), '');
    expect(problemOf(dataDir)).toBe('opened');
    rmSync(join(dataDir, 'log.db'));
    expect(problemOf(dataDir)).toContain('its log is lost');
  });

  it.each([
    ['no database', (bytes: Buffer) => bytes.fill('x', 0, 100)],
    ['a damaged page', (bytes: Buffer) => bytes.fill(0xff, 4096)],
  ])('[O3] says what to do where log.db is %s', (_what, damage) => {
    const dataDir = freshFolder();
    const { plane } = opened(dataDir);
    busy(plane);
    plane.close();
    writeFileSync(join(dataDir, 'log.db'), damage(readFileSync(join(dataDir, 'log.db'))));
    const problem = problemOf(dataDir);
    expect(problem).toMatch(/log\.db is damaged \(.*\)\. .*portcullis log restore/);
    expect(problem).not.toContain('\n');
  });
});

describe('a restart', () => {
  it('[L5] has the state, the policies and the past that were there before', () => {
    const dataDir = freshFolder();
    const { plane } = opened(dataDir);
    busy(plane);
    const { size } = plane.state();
    const states = Array.from({ length: size }, (_, seq) => plane.history.stateAt(seq));
    const all = plane.history.read({ limit: 1_000 });
    const before = { state: plane.state(), policies: plane.policies() };
    expect(before.policies.size).toBe(2);
    plane.close();
    const again = opened(dataDir).plane;
    expect(again.state()).toEqual(before.state);
    expect(again.policies()).toEqual(before.policies);
    expect(again.history.read({ limit: 1_000 })).toEqual(all);
    for (const [seq, state] of states.entries()) expect(again.history.stateAt(seq)).toEqual(state);
    expect(fold(NOTHING, all.toReversed())).toEqual(before.state);
    // F6: the same directory is no news.
    expect(offer(again, {})).toMatchObject({ ok: true, recorded: [] });
  });

  it('[L6] still knows the idempotency keys', () => {
    const dataDir = freshFolder();
    const { plane } = opened(dataDir);
    const first = plane.execute(LOCKDOWN, { ...OPERATOR, idem: 'k' });
    expect(plane.execute(LOCKDOWN, { ...OPERATOR, idem: 'k' })).toMatchObject({ ok: true, replayed: true });
    plane.close();
    const again = opened(dataDir).plane;
    const replay = again.execute(LOCKDOWN, { ...OPERATOR, idem: 'k', nowMs: OPERATOR.nowMs + 9 });
    expect(replay).toMatchObject({ ok: true, replayed: true });
    expect(first.ok && replay.ok && replay.recorded).toEqual(first.ok && first.recorded);
    expect(again.execute(restrict('x'), { ...OPERATOR, idem: 'k' })).toMatchObject({ ok: false, refusal: { code: 'idempotency-conflict' } });
    expect(again.execute(restrict('x'), { ...OPERATOR, idem: 'k', actor: { kind: 'operator', id: 'op-2' } })).toMatchObject({ ok: true, replayed: false });
    expect(again.state().size).toBe(3);
  });
});

describe('writing', () => {
  it('[L2] tells listeners only what is durable, in the order of the log, also when one of them writes or throws', () => {
    const dataDir = freshFolder();
    const bugs: unknown[] = [];
    const result = openPlane({ dataDir, now: () => 1_000, onBug: (bug) => bugs.push(bug) });
    if (!result.ok) throw new Error(result.problem);
    const { plane } = result;
    cleanups.push(() => plane.close());
    const reader = new Database(join(dataDir, 'log.db'), { readonly: true });
    cleanups.push(() => reader.close());
    const told: number[] = [];
    plane.onRecorded((recorded) => {
      if (recorded[0]?.seq === 1) plane.execute(restrict('second'), OPERATOR);
      throw new Error('a bug');
    });
    plane.onRecorded((recorded, state) => {
      const last = recorded.at(-1)!.seq;
      expect(reader.prepare('SELECT max(seq) FROM events').pluck().get()).toBeGreaterThanOrEqual(last);
      expect(state.size).toBe(last + 1);
      told.push(...recorded.map(({ seq }) => seq));
    });
    plane.execute(restrict('first'), OPERATOR);
    expect(told).toEqual([1, 2]);
    expect(bugs).toHaveLength(2);
  });

  it.each([
    ['the directory is deleted', (dataDir: string) => rmSync(dataDir, { recursive: true })],
    ['the directory is moved away', (dataDir: string) => renameSync(dataDir, `${dataDir}.away`)],
    ['log.db is deleted', (dataDir: string) => rmSync(join(dataDir, 'log.db'))],
    ['the write-ahead log is deleted', (dataDir: string) => rmSync(join(dataDir, 'log.db-wal'))],
    ['log.db is replaced by a copy', (dataDir: string) => {
      cpSync(join(dataDir, 'log.db'), join(dataDir, 'copy'));
      renameSync(join(dataDir, 'copy'), join(dataDir, 'log.db'));
    }],
  ])('[L2] acknowledges nothing once %s, says so, and goes on deciding from memory', (_what, harm) => {
    const dataDir = join(freshFolder(), 'data');
    const bugs: unknown[] = [];
    const result = openPlane({ dataDir, now: () => 1_000, onBug: (bug) => bugs.push(bug) });
    if (!result.ok) throw new Error(result.problem);
    const { plane } = result;
    cleanups.push(() => plane.close());
    plane.execute(restrict('before'), OPERATOR);
    const before = plane.state();
    harm(dataDir);
    for (let n = 0; n < 2; n++) expect(plane.execute(restrict(`after ${n}`), OPERATOR)).toMatchObject({ ok: false, refusal: { code: 'unavailable', message: expect.stringMatching(/log\.db.* not the file that this plane opened.*restart the plane/) as string } });
    expect(plane.state()).toBe(before);
    expect(bugs.map(String)).toEqual([expect.stringContaining('not the file that this plane opened')]);
  });

  it('[L2] records nothing of an offer whose bytes are not at hand or not what they are named', () => {
    const { plane } = opened(freshFolder());
    const document = documentOf('a.yaml', policyFor('a'));
    if (document.kind !== 'valid') throw new Error('invalid');
    const command: Command = { kind: 'offer', documents: new Map([['a.yaml', document]]), git: null, removals: 'wait' };
    expect(() => plane.execute(command, OPERATOR)).toThrow(/without its bytes/);
    expect(() => plane.execute(command, OPERATOR, new Map([[document.textSha256, Buffer.from('other')]]))).toThrow(/something else/);
    expect(plane.state().size).toBe(1);
    expect(offer(plane, { 'a.yaml': policyFor('a') })).toMatchObject({ ok: true });
  });

  it('makes confirmations the cause of what they publish', () => {
    const { plane } = opened(freshFolder());
    offer(plane, { 'a.yaml': policyFor('a'), 'b.yaml': policyFor('b') });
    offer(plane, {});
    const [pending] = plane.outstanding().removals;
    const confirmed = plane.execute({ kind: 'confirm', expected: null, change: pending?.change ?? '' }, OPERATOR);
    if (!confirmed.ok) throw new Error(confirmed.refusal.message);
    expect(confirmed.recorded.map(({ event, cause }) => [event.type, cause])).toEqual([['RemovalConfirmed', null], ['PolicySetPublished', confirmed.recorded[0]!.id]]);
    expect(plane.policies().size).toBe(0);
  });

  it('keeps the same objects for policies that did not change', () => {
    const { plane } = opened(freshFolder());
    offer(plane, { 'a.yaml': policyFor('a'), 'b.yaml': policyFor('b') });
    const before = plane.policies();
    plane.execute(LOCKDOWN, OPERATOR);
    expect(plane.policies()).toBe(before);
    offer(plane, { 'a.yaml': policyFor('a', 2), 'b.yaml': policyFor('b') });
    expect(plane.policies().get('b.yaml')).toBe(before.get('b.yaml'));
    expect(plane.policies().get('a.yaml')).not.toBe(before.get('a.yaml'));
  });
});

describe('the past', () => {
  it('is read by type, actor, policy and page', () => {
    const { plane } = opened(freshFolder());
    busy(plane);
    const { history } = plane;
    const seqs = (query: object): number[] => history.read({ limit: 100, ...query }).map(({ seq }) => seq);
    expect(seqs({ types: ['RolledBack'] })).toHaveLength(1);
    expect(seqs({ policy: 'bad.yaml' })).toEqual([1]);
    expect(seqs({ policy: 'constructor' })).toEqual([]);
    expect(seqs({ actor: 'plane' })).toEqual([0]);
    expect(seqs({ limit: 2, before: 5 })).toEqual([4, 3]);
    expect(seqs({ from: 3, before: 5 })).toEqual([4, 3]);
    const rolledBack = seqs({ types: ['RolledBack'] })[0]!;
    expect(history.versionAt(rolledBack)).toBe(rolledBack);
    expect(history.versionAt(rolledBack + 1)).toBe(rolledBack);
    expect(history.versionAt(10_000)).toBeUndefined();
    expect(history.at(10_000)).toBeUndefined();
    expect(() => history.stateAt(10_000)).toThrow(RangeError);
    const content = plane.state().policies.get('a.yaml')!.content;
    expect(history.text(content.textSha256)?.toString()).toBe(RICH);
    expect(history.model(content.modelSha256)?.id).toBe('a.yaml');
    expect(history.text('0'.repeat(64))).toBeUndefined();
  });

  it('[L4] proves that the log grew and nothing else', () => {
    const { plane, keys } = opened(freshFolder());
    const parsed = parseVerifierKey(readVerifierKey(plane, keys.publicKey));
    if (!parsed.ok) throw new Error('key');
    const head = (note: string) => {
      const read = openCheckpoint(note, parsed.key);
      if (!read.ok) throw new Error('checkpoint');
      return read.checkpoint;
    };
    const older = head(plane.history.checkpoint());
    busy(plane);
    const newer = head(plane.history.checkpoint());
    const proof = plane.history.consistency(older.size)!.map((hash) => Buffer.from(hash, 'base64'));
    expect(verifyConsistency(older, newer, proof)).toEqual({ ok: true });
    expect(plane.history.consistency(999)).toBeUndefined();
  });
});

function readVerifierKey(plane: Plane, publicKey: string): string {
  const files = new Map([...exportLog(logOf(plane))].map(({ path, bytes }) => [path, bytes] as const));
  const page = Buffer.from(files.get('AUDIT.md')!).toString();
  const key = /^ {4}(portcullis\.local\S+)$/m.exec(page)![1]!;
  expect(key).toContain(Buffer.concat([Buffer.of(1), Buffer.from(publicKey, 'base64')]).toString('base64'));
  return key;
}

function logOf(plane: Plane): string {
  const folder = folders.get(plane);
  if (folder === undefined) throw new Error('unknown plane');
  return folder;
}
describe('an altered log', () => {
  const INTRUSIONS: readonly (readonly [string, string, RegExp])[] = [
    ['an entry', `UPDATE events SET entry = replace(entry, '"op-1"', '"op-2"') WHERE seq = 5`, /event 5 is not what was recorded/],
    ['a leaf', 'UPDATE events SET leaf = zeroblob(32) WHERE seq = 2', /event 2 is not what was recorded/],
    ['the last events', 'DELETE FROM events WHERE seq >= 6', /were signed/],
    ['an event in the middle', 'DELETE FROM events WHERE seq = 3', /event 3 is missing/],
    ['a body', `UPDATE payloads SET body = CAST('{}' AS BLOB) WHERE salt IS NULL AND sha256 = (SELECT payload FROM events WHERE seq = 3)`, /payload of event 3 is not what was recorded/],
    ['a reason', `UPDATE payloads SET body = CAST('other' AS BLOB) WHERE salt IS NOT NULL`, /payload of event \d+ is not what was recorded/],
    ['a missing body', 'DELETE FROM payloads WHERE sha256 = (SELECT payload FROM events WHERE seq = 3)', /payload of event 3 is missing/],
    ['the signed head', `UPDATE checkpoints SET note = replace(note, 'portcullis', 'Portcullis')`, /signed head cannot be used/],
    ['an older head put back', 'DELETE FROM checkpoints WHERE size > 3', /were signed/],
    ['a schema', `UPDATE events SET entry = replace(entry, '"schema":1', '"schema":9') WHERE seq = 4`, /event 4 is not what was recorded/],
  ];
  it.each(INTRUSIONS)('[L4] is found at the next start: %s', (_name, sql, expected) => {
    const dataDir = freshFolder();
    const { plane } = opened(dataDir);
    busy(plane);
    plane.close();
    const db = new Database(join(dataDir, 'log.db'));
    for (const { name } of db.prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'trigger'").all()) db.exec(`DROP TRIGGER ${name}`);
    expect(db.prepare(sql).run().changes).toBeGreaterThan(0);
    db.close();
    expect(problemOf(dataDir)).toMatch(expected);
  });

  it('[L4] is found at the next start: an entry and its hash, changed together', () => {
    const dataDir = freshFolder();
    const { plane } = opened(dataDir);
    busy(plane);
    plane.close();
    const db = new Database(join(dataDir, 'log.db'));
    db.exec('DROP TRIGGER events_no_update');
    const entry = String(db.prepare('SELECT entry FROM events WHERE seq = 5').pluck().get()).replace('"op-1"', '"op-2"');
    db.prepare('UPDATE events SET entry = ?, leaf = ? WHERE seq = 5').run(entry, leafHash(Buffer.from(entry)));
    db.close();
    expect(problemOf(dataDir)).toMatch(/do not give the root that was signed/);
  });

  it('is not opened with another key, or without one', () => {
    const [one, two] = [freshFolder(), freshFolder()];
    opened(one).plane.close();
    opened(two).plane.close();
    const key = readFileSync(join(one, 'keys/plane.key'));
    writeFileSync(join(one, 'keys/plane.key'), readFileSync(join(two, 'keys/plane.key')));
    expect(problemOf(one)).toMatch(/signed head cannot be used/);
    writeFileSync(join(one, 'keys/plane.key'), 'not a key');
    expect(problemOf(one)).toMatch(/no usable key/);
    rmSync(join(one, 'keys/plane.key'));
    expect(problemOf(one)).toMatch(/cannot be read/);
    writeFileSync(join(one, 'keys/plane.key'), key);
    expect(problemOf(one)).toBe('opened');
  });

  it('has reasons, names and authors in salted payloads only', () => {
    const dataDir = freshFolder();
    const { plane } = opened(dataDir);
    busy(plane);
    offer(plane, { 'z.yaml': policyFor('z') }, { commit: 'c'.repeat(40), branch: 'main', claimedAuthor: 'Anna <anna@example.org>', subject: 'because Anna says so' });
    expect(plane.history.read({ limit: 1 })[0]?.event).toMatchObject({ git: { claimedAuthor: 'Anna <anna@example.org>' } });
    plane.close();
    const db = new Database(join(dataDir, 'log.db'), { readonly: true });
    const kept = db.prepare<[], string>("SELECT entry FROM events UNION ALL SELECT CAST(body AS TEXT) FROM payloads WHERE salt IS NULL").pluck().all().join('\n');
    const salted = db.prepare<[], string>('SELECT CAST(body AS TEXT) FROM payloads WHERE salt IS NOT NULL').pluck().all().join('\n');
    db.close();
    for (const secret of ['because', 'Anna', 'anna']) {
      expect(kept).not.toContain(secret);
      expect(salted).toContain(secret);
    }
  });

  it('stays whole when a reason is erased', () => {
    const dataDir = freshFolder();
    const { plane } = opened(dataDir);
    busy(plane);
    plane.close();
    const db = new Database(join(dataDir, 'log.db'));
    db.exec('UPDATE payloads SET salt = NULL, body = NULL WHERE salt IS NOT NULL');
    db.close();
    const again = opened(dataDir).plane;
    const [restricted] = again.history.read({ limit: 1, types: ['RestrictionImposed'] });
    expect(restricted).toMatchObject({ reason: null, reasonErased: true, event: { restriction: { reason: '(erased)', actor: 'op-1' } } });
    expect(again.state().hosts.get('h1')?.name).toBe('(erased)');
    expect(again.state().operatorTokens.get('o1')?.name).toBe('(erased)');
  });

  it('[L4] verifies as plain files, and every payload is named by its hash', () => {
    const dataDir = freshFolder();
    const { plane, keys } = opened(dataDir);
    busy(plane);
    // Nobody alone may have so many.
    for (let n = 0; n < 300; n++) plane.execute(restrict(`s${n}`), { ...OPERATOR, actor: { kind: 'operator', id: `op-${n % 10}` } });
    const files = new Map([...exportLog(join(dataDir, 'log.db'))].map(({ path, bytes }) => [path, bytes] as const));
    const key = parseVerifierKey(readVerifierKey(plane, keys.publicKey));
    if (!key.ok) throw new Error('key');
    expect(verifyDirectory((path) => files.get(path), key.key)).toMatchObject({ ok: true, size: plane.state().size });
    files.set('tile/entries/000', Buffer.concat([files.get('tile/entries/000')!.subarray(0, 10), Buffer.from('X'), files.get('tile/entries/000')!.subarray(11)]));
    expect(verifyDirectory((path) => files.get(path), key.key).ok).toBe(false);
  });
});
