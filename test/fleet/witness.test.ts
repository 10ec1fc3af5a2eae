/** Every proxy is a witness of the plane's log: real planes that lost a part of it, or tell another story, and proxies that were there (L7). */
import { cpSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePolicy } from '@portcullis/policy-core';
import type { Policy } from '@portcullis/policy-core';
import { lastGoodRoot } from '../../apps/proxy/src/store/last-good.ts';
import { readEnrolment } from '../../apps/proxy/src/host/enrolment.ts';
import { allows, enrol, startPlane, startProxy, temporary, until } from './plane-fixture.ts';
import type { RunningPlane } from './plane-fixture.ts';

/** As in the field; heartbeats are quicker, so that the test is. */
const HEARTBEAT_MS = 200;
const CHECKPOINT_MS = 300;
/** Machines are busy. */
const LONG_MS = 30_000;

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
  running = await startPlane(path.join(place('plane'), 'data'), 0, HEARTBEAT_MS, CHECKPOINT_MS);
});
afterEach(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await running.stop('kill');
  for (const { remove } of places) remove();
});

function only(tool: string): readonly Policy[] {
  const parsed = parsePolicy({ id: 'files.yaml', bytes: Buffer.from(`version: "1"\ndefault: deny\ntools:\n  ${tool}: {}\n`) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return [parsed.policy];
}

async function proxy(home: string) {
  const started = await startProxy(home, 'files');
  proxies.push(started);
  return started;
}

async function again(): Promise<void> {
  running = await startPlane(running.dataDir, running.port, HEARTBEAT_MS, CHECKPOINT_MS);
}

/** Something that is recorded and is no version: no proxy is told of it. */
function noise(times: number): void {
  for (let made = 0; made < times; made++) running.execute({ kind: 'create-join-token', token: `t${running.plane.state().size}`, secretSha256: String(running.plane.state().size % 10).repeat(64), labels: {}, expiresAtMs: Date.now() + 60_000 });
}

const eventsSeen = (guarded: { readonly link: { status(): { readonly tree: { readonly size: number } | null } } }): number => guarded.link.status().tree?.size ?? 0;

/** Stops the plane, takes a backup, goes on until `lost` is recorded and seen, and comes back from the backup. */
async function loseWhat(lost: () => Promise<void>): Promise<void> {
  const backup = place('backup');
  await running.stop('goodbye');
  cpSync(running.dataDir, backup, { recursive: true });
  await again();
  await lost();
  await running.stop('kill');
  rmSync(running.dataDir, { recursive: true, force: true });
  cpSync(backup, running.dataDir, { recursive: true });
  await again();
}

const evidenceOf = (home: string): readonly string[] => {
  const found = readEnrolment(home);
  if (found.kind !== 'enrolled') throw new Error(found.kind);
  const root = lastGoodRoot(home, found.enrolment.log);
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('evidence'));
};

describe('the log as its proxies have seen it', () => {
  it('[L7] is followed as it grows, also where nothing that is enforced changes, and after a restart of both sides', async () => {
    const home = place('host');
    await enrol(running, home, {});
    running.publish(only('a'));
    const guarded = await proxy(home);
    await until('it to enforce', () => allows(guarded, 'a'), LONG_MS);
    noise(7);
    const size = running.plane.state().size;
    await until('the tree to be shown', () => eventsSeen(guarded) === size, LONG_MS);
    await guarded.close();
    await running.stop('kill');
    const back = await proxy(home);
    expect(eventsSeen(back)).toBe(size);
    await again();
    noise(3);
    await until('the tree to be shown again', () => eventsSeen(back) === running.plane.state().size, LONG_MS);
    expect(allows(back, 'a')).toBe(true);
    expect(evidenceOf(home)).toEqual([]);
  });

  it('[L7] cannot lose what is no version: a plane from an older backup is refused, loudly on both sides, and what was in force stays', async () => {
    const home = place('host');
    await enrol(running, home, {}, 'laptop');
    running.publish(only('a'));
    const guarded = await proxy(home);
    await until('it to enforce', () => allows(guarded, 'a'), LONG_MS);
    let seen = 0;
    await loseWhat(async () => {
      noise(4);
      seen = running.plane.state().size;
      await until('the tree to be shown', () => eventsSeen(guarded) === seen, LONG_MS);
    });
    const { size } = running.plane.state();
    expect(size).toBeLessThan(seen);
    const advice = `has seen ${seen} events of this log, which has ${size}`;
    await until('operators to see it', () => running.fleet.turnedAway().some(({ message, proved }) => proved && message.includes(advice) && message.includes('portcullis log restore')), LONG_MS);
    expect(running.fleet.proxies().flatMap(({ problems }) => problems).join()).toContain(advice);
    await until('the host to say so', () => guarded.told.some((line) => line.includes('other-history')), LONG_MS);
    expect(guarded.link.status()).toMatchObject({ connected: false, state: { kind: 'refused', reason: 'other-history' } });
    // What this plane publishes now would be a higher version under a number that was given to something else.
    running.publish(only('b'));
    noise(9);
    const restarted = await proxy(home);
    await until('the restarted proxy to be refused', () => restarted.told.some((line) => line.includes('other-history')), LONG_MS);
    expect([allows(restarted, 'a'), allows(restarted, 'b'), allows(guarded, 'a')]).toEqual([true, false, true]);
    expect(running.fleet.turnedAway().some(({ message }) => message.includes('does not begin with'))).toBe(true);
  }, 120_000);

  it('[L7] is not asked of a host that has seen nothing of it yet', async () => {
    const [first, second] = [place('first'), place('second')];
    await enrol(running, first, {}, 'first');
    running.publish(only('a'));
    const witness = await proxy(first);
    await until('it to enforce', () => allows(witness, 'a'), LONG_MS);
    await loseWhat(async () => {
      noise(4);
      await until('the tree to be shown', () => eventsSeen(witness) === running.plane.state().size, LONG_MS);
    });
    await enrol(running, second, {}, 'second');
    const newcomer = await proxy(second);
    await until('the newcomer to be let in', () => allows(newcomer, 'a') && eventsSeen(newcomer) > 0, LONG_MS);
  }, 60_000);
});
