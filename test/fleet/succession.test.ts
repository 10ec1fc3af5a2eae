/** A new key and a new log, with a real plane, real sockets, and proxies with real folders. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Policy } from '@portcullis/policy-core';
import { parsePolicy } from '@portcullis/policy-core';
import { makeJoinToken } from '../../apps/control-plane/src/join.ts';
import { restoreDataDirectory } from '../../apps/control-plane/src/restore-log.ts';
import { readEnrolment } from '../../apps/proxy/src/host/enrolment.ts';
import { joinPlane } from '../../apps/proxy/src/host/join.ts';
import { trustLog } from '../../apps/proxy/src/host/trust.ts';
import { lastGoodRoot } from '../../apps/proxy/src/store/last-good.ts';
import { allows, enrol, startPlane, startProxy, temporary, until } from './plane-fixture.ts';
import type { RunningPlane } from './plane-fixture.ts';

const META = { nowMs: Date.now(), actor: { kind: 'operator', id: 'admin' }, auth: { method: 'token', ref: 'admin' }, reason: 'yearly', idem: null, cause: null } as const;

let places: { readonly dir: string; readonly remove: () => void }[];
let running: RunningPlane;
let proxies: { close(): Promise<void> }[];
const place = (name: string): string => {
  const made = temporary(name);
  places.push(made);
  return made.dir;
};

beforeEach(async () => {
  places = [];
  proxies = [];
  running = await startPlane(path.join(place('plane'), 'data'));
});
afterEach(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await running.stop('kill');
  for (const { remove } of places) remove();
});

function policy(id: string, text: string): Policy {
  const parsed = parsePolicy({ id, bytes: Buffer.from(text) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.policy;
}

const only = (...tools: readonly string[]): readonly Policy[] => [policy('files.yaml', `version: "1"\ndefault: deny\ntools:\n${tools.map((tool) => `  ${tool}: {}\n`).join('')}`)];

async function proxy(home: string) {
  const started = await startProxy(home, 'files');
  proxies.push(started);
  return started;
}

function enrolment(home: string) {
  const found = readEnrolment(home);
  if (found.kind !== 'enrolled') throw new Error(found.kind);
  return found.enrolment;
}

const lockdown = { kind: 'restrict', selector: { server: [], labels: {} }, tools: null, readOnly: false, expiresAtMs: null } as const;

function rotate(): string {
  const done = running.plane.rotateKey(META);
  if (!done.ok) throw new Error(done.refusal.message);
  return done.state.publicKey;
}

describe('a new signing key', () => {
  it('[W3] is followed by connected proxies at once, without a lost moment, and by others when they come back', async () => {
    const [here, away] = [place('here'), place('away')];
    await enrol(running, here, {}, 'here');
    await enrol(running, away, {}, 'away');
    running.publish(only('a'));
    const connected = await proxy(here);
    const gone = await proxy(away);
    await until('both to enforce it', () => allows(connected, 'a') && allows(gone, 'a'));
    await gone.close();
    const before = enrolment(here).planeKey;
    const second = rotate();
    expect(second).not.toBe(before);
    running.publish(only('b'));
    await until('the version under the new key', () => allows(connected, 'b'));
    expect(connected.link.status().connected).toBe(true);
    expect(connected.told).toEqual(['the plane signs with a new key, which the old one vouches for']);
    expect(enrolment(here)).toMatchObject({ planeKey: second, formerKeys: [before] });
    const third = rotate();
    running.publish(only('c'));
    const back = await proxy(away);
    await until('the one that was away', () => allows(back, 'c'));
    expect(enrolment(away)).toMatchObject({ planeKey: third, formerKeys: [second, before] });
    await until('a fresh lease under the third key', () => back.link.staleMs() === 0 && connected.link.staleMs() === 0);
  });

  it('[P3] leaves what was stored under the old key in force, with the plane down', async () => {
    const home = place('host');
    await enrol(running, home, {});
    running.publish(only('a'));
    const first = await proxy(home);
    await until('it to enforce', () => allows(first, 'a'));
    rotate();
    await until('the new key', () => enrolment(home).formerKeys.length === 1);
    await first.close();
    await running.stop('kill');
    const again = await proxy(home);
    expect(allows(again, 'a')).toBe(true);
    expect(allows(again, 'b')).toBe(false);
    running = await startPlane(running.dataDir, running.port);
  });

  it('goes on after a restart of the plane, and a join token made before it still works', async () => {
    const token = makeJoinToken(running.plane.state(), randomBytes);
    running.execute({ kind: 'create-join-token', token: token.id, secretSha256: token.secretSha256, labels: {}, expiresAtMs: Date.now() + 60_000 });
    const newest = rotate();
    await running.stop('kill');
    running = await startPlane(running.dataDir, running.port);
    expect(running.plane.state().publicKey).toBe(newest);
    running.publish(only('a'));
    const home = place('host');
    expect(await joinPlane({ url: running.url, token: token.text, home, name: 'late' })).toMatchObject({ ok: true });
    expect(enrolment(home).planeKey).toBe(newest);
    const late = await proxy(home);
    await until('it to enforce', () => allows(late, 'a'));
  });
});

describe('a plane that came back from a backup', () => {
  /** Publishes, takes the backup, goes further, and comes back from the backup; `restore` is what its operator does before starting it. */
  async function lose(restore: (dataDir: string) => void): Promise<void> {
    const backup = place('backup');
    await running.stop('goodbye');
    cpSync(running.dataDir, backup, { recursive: true });
    running = await startPlane(running.dataDir, running.port);
    running.publish(only('later'));
    await until('the version that will be lost', () => proxies.length > 0 && [...running.fleet.proxies()].every((one) => one.state === 'current'));
    await running.stop('kill');
    rmSync(running.dataDir, { recursive: true, force: true });
    cpSync(backup, running.dataDir, { recursive: true });
    restore(running.dataDir);
    running = await startPlane(running.dataDir, running.port);
  }
  const recovered = (dataDir: string): void => {
    expect(restoreDataDirectory({ dataDir, recoveryKey: path.join(dataDir, 'recovery.key'), reason: 'disk died', nowMs: Date.now() })).toMatchObject({ ok: true, signed: true });
  };

  it('[W3] is refused, loudly on both sides, while it claims to be the same log', async () => {
    const home = place('host');
    await enrol(running, home, {}, 'laptop');
    running.publish(only('a'));
    const guarded = await proxy(home);
    await until('it to enforce', () => allows(guarded, 'a'));
    await lose(() => undefined);
    await until('operators to see it', () => running.fleet.proxies().some(({ problems }) => problems.some((problem) => problem.includes('portcullis log restore'))), 20_000);
    expect(allows(guarded, 'later')).toBe(true);
    expect(allows(guarded, 'a')).toBe(false);
  });

  it('[P3][P6] is followed on the word of the recovery key: what was in force stays until it has sent its own, and a restart changes nothing', async () => {
    const home = place('host');
    await enrol(running, home, {}, 'laptop');
    running.publish(only('a'));
    const guarded = await proxy(home);
    await until('it to enforce', () => allows(guarded, 'a'));
    const old = enrolment(home).log;
    await lose(recovered);
    await until('the policies of the backup', () => allows(guarded, 'a') && !allows(guarded, 'later'), 20_000);
    const { log } = running.plane.state();
    expect(log).not.toBe(old);
    expect(enrolment(home)).toMatchObject({ log, formerLogs: [{ log: old }] });
    expect(guarded.told.filter((line) => line.includes('recovery key'))).toHaveLength(1);
    running.execute(lockdown);
    await until('a lockdown under the new log', () => !allows(guarded, 'a'));
    await guarded.close();
    await running.stop('kill');
    const again = await proxy(home);
    expect(allows(again, 'a')).toBe(false);
    running = await startPlane(running.dataDir, running.port);
    await until('it to be back', () => again.link.status().connected, 20_000);
    expect(running.fleet.proxies().flatMap(({ problems }) => problems)).toEqual([]);
  });

  it('[P3] leaves the former log in force on a host that followed and was restarted before anything came', async () => {
    const home = place('host');
    await enrol(running, home, {}, 'laptop');
    running.publish(only('a'));
    const guarded = await proxy(home);
    await until('it to enforce', () => allows(guarded, 'a'));
    const former = lastGoodRoot(home, enrolment(home).log);
    const kept = place('kept');
    await lose((dataDir) => {
      cpSync(former, kept, { recursive: true });
      recovered(dataDir);
    });
    await until('it to follow', () => enrolment(home).formerLogs.length === 1, 20_000);
    await until('the policies of the backup', () => allows(guarded, 'a'));
    await guarded.close();
    await running.stop('kill');
    // As if it had been killed after it had learned of the log and before its first snapshot.
    const { log } = enrolment(home);
    for (const folder of [lastGoodRoot(home, log), former]) rmSync(folder, { recursive: true });
    cpSync(kept, former, { recursive: true });
    const again = await proxy(home);
    expect(allows(again, 'later')).toBe(true);
    expect(allows(again, 'a')).toBe(false);
    running = await startPlane(running.dataDir, running.port);
    await until('the plane to send its own', () => allows(again, 'a') && !allows(again, 'later'), 20_000);
  });

  it('[W3] without the recovery key is refused until the host is told, and operators see who refuses', async () => {
    const home = place('host');
    await enrol(running, home, {}, 'laptop');
    running.publish(only('a'));
    const guarded = await proxy(home);
    await until('it to enforce', () => allows(guarded, 'a'));
    await lose((dataDir) => {
      expect(restoreDataDirectory({ dataDir, recoveryKey: null, reason: 'x', nowMs: Date.now() })).toMatchObject({ ok: false });
      rmSync(path.join(dataDir, 'recovery.key'));
      expect(restoreDataDirectory({ dataDir, recoveryKey: null, reason: 'all lost', nowMs: Date.now() })).toMatchObject({ ok: true, signed: false, recoveryKeyPath: path.join(dataDir, 'recovery.key') });
    });
    const { log } = running.plane.state();
    await until('operators to see it', () => running.fleet.proxies().some(({ problems }) => problems.some((problem) => problem.includes(`portcullis-proxy trust ${log}`))), 20_000);
    // It says so before it says hello, so before anybody on the plane can see it; what it says next may come later.
    expect(guarded.told.filter((line) => line.includes(`portcullis-proxy trust ${log}`))).toHaveLength(1);
    expect(allows(guarded, 'later')).toBe(true);
    expect(await trustLog({ home, log: 'portcullis.local/00000000' })).toMatchObject({ ok: false });
  }, 60_000);

  it('refuses another key than the recovery key, and a directory that a plane uses', async () => {
    running.publish(only('a'));
    const { dataDir } = running;
    expect(restoreDataDirectory({ dataDir, recoveryKey: path.join(dataDir, 'recovery.key'), reason: 'x', nowMs: 1 })).toMatchObject({ ok: false, problem: expect.stringContaining('in use') as string });
    await running.stop('kill');
    const size = readFileSync(path.join(dataDir, 'keys/plane.key'), 'utf8');
    expect(restoreDataDirectory({ dataDir, recoveryKey: path.join(dataDir, 'keys/plane.key'), reason: 'x', nowMs: 1 })).toMatchObject({ ok: false, problem: expect.stringContaining('not the recovery key') as string });
    expect(readFileSync(path.join(dataDir, 'keys/plane.key'), 'utf8')).toBe(size);
    running = await startPlane(dataDir, running.port);
  });
});
