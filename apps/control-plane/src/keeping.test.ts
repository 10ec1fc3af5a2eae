/** A new key, a restored log and erased texts, in a real data directory: what is recorded, what a restart finds, what an auditor can check. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSignerKey, encodeVerifierKey, openCheckpoint, verifyDirectory } from '@portcullis/tlog';
import { afterEach, describe, expect, it } from 'vitest';
import { OPERATOR } from '../../../test/domain/story.ts';
import { logExport, logVerify } from './cli/audit.ts';
import { payloadCheck } from './cli/payload-check.ts';
import type { Terminal } from './cli/terminal.ts';
import type { Command } from './domain/command.ts';
import { ERASED } from './domain/events.ts';
import { fold, NOTHING } from './domain/fold.ts';
import { stateText } from './domain/state-text.ts';
import { erasureOf } from './erasure.ts';
import { openPublished } from './log/export.ts';
import { logKeys } from './log/log-keys.ts';
import type { Executed, Plane } from './plane.ts';
import { openPlane } from './plane.ts';
import { restoreDataDirectory } from './restore-log.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'portcullis-keeping-'));
  cleanups.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function open(dataDir: string) {
  const result = openPlane({ dataDir, now: () => 1_000 });
  if (!result.ok) throw new Error(result.problem);
  cleanups.push(() => result.plane.close());
  return result;
}

function done(executed: Executed): Extract<Executed, { ok: true }> {
  if (!executed.ok) throw new Error(`${executed.refusal.code}: ${executed.refusal.message}`);
  return executed;
}

const META = { ...OPERATOR, reason: 'because' };
const restrict = (server: string): Command => ({ kind: 'restrict', selector: { server: [server], labels: {} }, tools: null, readOnly: false, expiresAtMs: null });
const grow = (plane: Plane, server: string, reason = 'because'): number => done(plane.execute(restrict(server), { ...META, reason })).recorded[0]!.seq;

/** The command, in this process. */
async function ask(act: (terminal: Terminal) => Promise<number>): Promise<{ readonly code: number; readonly said: string }> {
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  const terminal = { out: say, err: say, progress: () => undefined, input: process.stdin, env: {}, cwd: '/', interactive: false, now: () => 0, signal: new AbortController().signal };
  return { code: await act(terminal), said: said.join('\n') };
}
const verify = (where: { readonly data?: string; readonly dir?: string }, options: { readonly key?: readonly string[]; readonly acceptUnsignedRestoration?: boolean; readonly checkpoint?: readonly string[] } = {}) =>
  ask((terminal) => logVerify(where.dir, { ...(where.data === undefined ? {} : { data: where.data }), ...options }, terminal));

function keep(plane: Plane, file: string): string {
  writeFileSync(file, plane.history.checkpoint());
  return file;
}

describe('a new signing key', () => {
  it('[L4] signs with the old one the head that covers it, and alone afterwards; log verify follows from any key and checkpoint', async () => {
    const dir = folder();
    const data = join(dir, 'data');
    const { plane, keys } = open(data);
    grow(plane, 'a');
    const early = keep(plane, join(dir, 'early'));
    const old = keys.publicKey;
    done(plane.rotateKey(META));
    expect(keys.publicKey).not.toBe(old);
    const both = plane.history.checkpoint();
    expect(both.split('\n').filter((line) => line.startsWith('\u2014'))).toHaveLength(2);
    grow(plane, 'b');
    done(plane.rotateKey(META));
    grow(plane, 'c');
    expect(plane.history.checkpoint().split('\n').filter((line) => line.startsWith('\u2014'))).toHaveLength(1);
    const late = keep(plane, join(dir, 'late'));
    const published = openPublished(join(data, 'log.db'));
    const claimed = logKeys(published.read)!;
    published.close();
    expect(claimed.keys).toHaveLength(3);
    for (const key of claimed.keys.slice(0, 2)) expect(openCheckpoint(both, key).ok).toBe(true);
    expect(openCheckpoint(readFileSync(late), claimed.keys[0]).ok).toBe(false);
    const out = join(dir, 'out');
    expect((await ask((terminal) => logExport({ data, out }, terminal))).code).toBe(0);
    for (const where of [{ data }, { dir: out }]) {
      expect(await verify(where)).toMatchObject({ code: 0, said: expect.stringContaining('replaced 2 times') as string });
      for (const [n, key] of claimed.keys.entries()) {
        writeFileSync(join(dir, `key${n}`), encodeVerifierKey(key));
        expect((await verify(where, { key: [join(dir, `key${n}`)], checkpoint: [early, late] })).code).toBe(0);
      }
    }
    const guide = readFileSync(join(out, 'AUDIT.md'), 'utf8');
    for (const key of claimed.keys) expect(guide).toContain(encodeVerifierKey(key));
  });

  it('[L4] is not believed without both signatures', () => {
    const dir = folder();
    const { plane } = open(dir);
    const rotated = done(plane.rotateKey(META)).recorded[0]!;
    const published = openPublished(join(dir, 'log.db'));
    const body = (JSON.parse(JSON.stringify(rotated.event)) as { signatures: { previous: string; next: string } }).signatures;
    const forged = logKeys((path) => {
      const bytes = published.read(path);
      return bytes === undefined || !path.startsWith('payload/') ? bytes : Buffer.from(Buffer.from(bytes).toString('utf8').replace(body.previous, body.next));
    });
    published.close();
    expect(forged?.problems.map(({ code }) => code)).toEqual(['KEY_UNSIGNED']);
  });

  it('[L5] is found whenever the plane is killed: before the log knows of it, after that, and long after', () => {
    const dir = folder();
    const first = open(dir);
    const before = readFileSync(join(dir, 'keys/plane.key'), 'utf8');
    first.plane.close();
    writeFileSync(join(dir, 'keys/plane.next.key'), encodeSignerKey(first.plane.state().log, Buffer.alloc(32, 7)));
    const second = open(dir);
    expect(second.keys.publicKey).toBe(first.keys.publicKey);
    expect(existsSync(join(dir, 'keys/plane.next.key'))).toBe(false);
    done(second.plane.rotateKey(META));
    const newest = second.keys.publicKey;
    const after = readFileSync(join(dir, 'keys/plane.key'), 'utf8');
    expect(after).not.toBe(before);
    expect(statSync(join(dir, 'keys/plane.key')).mode & 0o777).toBe(0o600);
    for (const more of [false, true]) {
      const killed = join(folder(), 'data');
      cpSync(dir, killed, { recursive: true });
      writeFileSync(join(killed, 'keys/plane.key'), before);
      writeFileSync(join(killed, 'keys/plane.next.key'), after);
      const third = open(killed);
      expect(third.keys.publicKey).toBe(newest);
      expect(readFileSync(join(killed, 'keys/plane.key'), 'utf8')).toBe(after);
      third.plane.close();
      if (!more) grow(second.plane, 'later');
    }
    second.plane.close();
    writeFileSync(join(dir, 'keys/plane.key'), before);
    expect(openPlane({ dataDir: dir, now: () => 1 })).toMatchObject({ ok: false });
  });

  it('[L6] happens once for one idempotency key, and not without a reason', () => {
    const { plane, keys } = open(folder());
    const meta = { ...META, idem: 'k' };
    const newest = done(plane.rotateKey(meta)).state.publicKey;
    expect(done(plane.rotateKey(meta))).toMatchObject({ replayed: true });
    expect(keys.publicKey).toBe(newest);
    expect(plane.rotateKey({ ...META, reason: ' ' })).toMatchObject({ ok: false, refusal: { code: 'reason-required' } });
    expect(keys.publicKey).toBe(newest);
    grow(plane, 'a');
  });
});

describe('a restored log', () => {
  it('[L4][L5] goes on in the same tree under another name; kept checkpoints count, and show what is lost', async () => {
    const dir = folder();
    const data = join(dir, 'data');
    const { plane, keys } = open(data);
    grow(plane, 'a');
    const early = keep(plane, join(dir, 'early'));
    plane.close();
    cpSync(data, join(dir, 'backup'), { recursive: true });
    const further = open(data);
    grow(further.plane, 'lost');
    const lost = keep(further.plane, join(dir, 'lost'));
    further.plane.close();
    const backup = join(dir, 'backup');
    const restored = restoreDataDirectory({ dataDir: backup, recoveryKey: join(backup, 'recovery.key'), reason: 'the disk died', nowMs: 2_000 });
    expect(restored).toMatchObject({ ok: true, previousLog: plane.state().log, previousSize: plane.state().size });
    const again = open(backup);
    expect(again.plane.state()).toMatchObject({ size: plane.state().size + 1, rotations: [], restorations: [{ previousLog: plane.state().log }] });
    expect(again.plane.state().log).not.toBe(plane.state().log);
    expect(again.keys.publicKey).not.toBe(keys.publicKey);
    expect(again.plane.state().restrictions.size).toBe(1);
    grow(again.plane, 'b');
    expect(stateText(fold(NOTHING, [...again.plane.history.read({ limit: 1_000 })].reverse()))).toBe(stateText(again.plane.state()));
    again.plane.close();
    const answer = await verify({ data: backup }, { checkpoint: [early] });
    expect(answer).toMatchObject({ code: 0, said: expect.stringContaining('came back from a backup') as string });
    expect(await verify({ data: backup }, { checkpoint: [lost] })).toMatchObject({ code: 1, said: expect.stringContaining('of them were in the backup') as string });
    expect(await verify({ data }, { checkpoint: [early, lost] })).toMatchObject({ code: 0 });
  });

  it.each([true, false])('[L4][L5] is begun where the folder of the keys was lost with them, as serve makes one (recovery key kept: %s)', (kept) => {
    const dir = folder();
    const { plane } = open(dir);
    grow(plane, 'a');
    plane.close();
    rmSync(join(dir, 'keys'), { recursive: true });
    if (!kept) rmSync(join(dir, 'recovery.key'));
    expect(restoreDataDirectory({ dataDir: dir, recoveryKey: kept ? join(dir, 'recovery.key') : null, reason: 'the disk died', nowMs: 2_000 })).toMatchObject({ ok: true, signed: kept });
    expect(statSync(join(dir, 'keys')).mode & 0o777).toBe(0o700);
    expect(open(dir).plane.state().restrictions.size).toBe(1);
  });

  it('[L4] is not begun on a backup that is not what was signed', async () => {
    const dir = folder();
    const { plane } = open(dir);
    grow(plane, 'a');
    plane.close();
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(join(dir, 'log.db'));
    db.exec("DROP TRIGGER events_no_update; UPDATE events SET entry = replace(entry, 'RestrictionImposed', 'RestrictionImposeD') WHERE seq = 1");
    db.close();
    const before = readdirSync(join(dir, 'keys'));
    expect(restoreDataDirectory({ dataDir: dir, recoveryKey: join(dir, 'recovery.key'), reason: 'x', nowMs: 1 })).toMatchObject({ ok: false });
    expect(readdirSync(join(dir, 'keys'))).toEqual(before);
  });
});

describe('a reader beside the plane', () => {
  it('[L4] sees one moment of the log, whatever is recorded and erased meanwhile', () => {
    const dir = folder();
    const { plane } = open(dir);
    const seq = grow(plane, 'a', 'somebody wrote this');
    done(plane.execute({ kind: 'lift', restriction: `r-${seq}`, expected: null }, META));
    const published = openPublished(join(dir, 'log.db'));
    const check = payloadCheck(published.read);
    done(plane.execute({ kind: 'erase', target: 'event', ...erasureOf(plane.history, { kind: 'event', seq }) }, META));
    const claimed = logKeys(published.read)!;
    expect(verifyDirectory(published.read, claimed.keys[0], { onEntry: check.entry })).toMatchObject({ ok: true, size: seq + 2 });
    expect([check.unexplained(), check.erased(), published.beyondHead()]).toEqual([[], 0, []]);
    published.close();
    expect(plane.history.at(seq)?.reasonErased).toBe(true);
  });
});

describe('erasing', () => {
  const SECRET = 'Anna Schmidt called from the hospital';
  const bytesOf = (dir: string): string => readdirSync(dir, { recursive: true, withFileTypes: true }).filter((one) => one.isFile() && one.name !== 'ballast').map((one) => readFileSync(join(one.parentPath, one.name), 'latin1')).join('');

  it('[L4][L5] takes a reason out of every file, and leaves the log valid, the state what a restart finds, and a trace of who did it', async () => {
    const dir = folder();
    const { plane } = open(dir);
    const seq = grow(plane, 'a', SECRET);
    const early = keep(plane, join(folder(), 'early'));
    done(plane.execute({ kind: 'lift', restriction: `r-${seq}`, expected: null }, META));
    expect(bytesOf(dir)).toContain(SECRET);
    const target = erasureOf(plane.history, { kind: 'event', seq });
    const erased = done(plane.execute({ kind: 'erase', target: 'event', ...target }, { ...META, reason: 'she asked' }));
    expect(erased.recorded[0]?.event).toEqual({ type: 'TextErased', seqs: [seq], hosts: [], operators: [] });
    expect(plane.history.at(seq)).toMatchObject({ reason: null, reasonErased: true, event: { restriction: { reason: ERASED } } });
    expect(JSON.stringify(plane.history.stateAt(seq).restrictions.get(`r-${seq}`))).not.toContain(SECRET);
    expect(bytesOf(dir)).not.toContain(SECRET);
    const state = stateText(plane.state());
    plane.close();
    expect(stateText(open(dir).plane.state())).toBe(state);
    expect(await verify({ data: dir }, { checkpoint: [early] })).toMatchObject({ code: 0, said: expect.stringContaining('1 reasons or names were erased') as string });
    const out = join(folder(), 'out');
    expect((await ask((terminal) => logExport({ data: dir, out }, terminal))).code).toBe(0);
    expect(await verify({ dir: out })).toMatchObject({ code: 0, said: expect.stringContaining('1 reasons or names were erased') as string });
    // What another event gave as its reason is no part of that erasure.
    for (const name of readdirSync(join(out, 'payload'))) if (readFileSync(join(out, 'payload', name), 'latin1').endsWith('she asked')) rmSync(join(out, 'payload', name));
    expect(await verify({ dir: out })).toMatchObject({ code: 1, said: expect.stringContaining('no event says that it was erased') as string });
  });

  it('takes what one operator wrote and is called, with the copies of one command, and nothing of anybody else', () => {
    const dir = folder();
    const { plane } = open(dir);
    done(plane.execute({ kind: 'create-operator-token', token: 'o1', secretSha256: 'b'.repeat(64), name: 'Anna', role: 'admin' }, META));
    const anna = { ...META, actor: { kind: 'operator', id: 'o1' } as const, reason: SECRET };
    const own = done(plane.execute(restrict('a'), anna)).recorded[0]!.seq;
    const others = grow(plane, 'b', 'somebody else');
    expect(erasureOf(plane.history, { kind: 'actor', id: 'o1' })).toEqual({ seqs: [1, own], hosts: [], operators: ['o1'] });
    const erase = (): Executed => plane.execute({ kind: 'erase', target: 'actor o1', ...erasureOf(plane.history, { kind: 'actor', id: 'o1' }) }, META);
    expect(erase()).toMatchObject({ ok: false, refusal: { code: 'invalid', message: expect.stringContaining('lift it first') as string } });
    done(plane.execute({ kind: 'lift', restriction: `r-${own}`, expected: null }, META));
    done(erase());
    expect(plane.state().operatorTokens.get('o1')?.name).toBe(ERASED);
    expect(plane.history.at(others)?.reason).toBe('somebody else');
    expect(bytesOf(dir)).not.toContain(SECRET);
    expect(erase()).toMatchObject({ ok: false, refusal: { code: 'already-done' } });
    const state = stateText(plane.state());
    plane.close();
    expect(stateText(open(dir).plane.state())).toBe(state);
  });
});
