/** A run from its seed: trouble for a while, then none, then the head. */
import { linkLimits } from '@portcullis/policy-core';
import { heal, open, operate, trouble } from './director.ts';
import { makeWorld, step } from './world.ts';
import type { World } from './world.ts';

export interface Report {
  readonly seed: number;
  /** The law that was broken, and what was seen; null where all held. */
  readonly broken: string | null;
  /** What happened last. */
  readonly story: readonly string[];
  readonly steps: number;
  readonly virtualMs: number;
  readonly versions: number;
  /** From the end of trouble to everybody enforcing the head; null where that was not reached. */
  readonly headAfterMs: number | null;
  /** Names the whole run: the same seed has the same. */
  readonly hash: string;
  readonly coverage: ReadonlyMap<string, number>;
}

/** Trouble lasts so long. */
const TROUBLE_MS = 60_000;
/** Somebody decides something, and something goes wrong, about so often. */
const OPERATE_EVERY_MS = 2_500;
const TROUBLE_EVERY_MS = 1_500;
/**
 * A lease is three heartbeats. Two of them is how long it may take to be at the head once nothing goes wrong any more and both ends know that
 * their connection is gone: the longest wait between two attempts is two leases too, and a heartbeat more is what an attempt may take.
 */
const HEAD_WITHIN_MS = 2 * linkLimits.FRESH_MS + linkLimits.HEARTBEAT_MS;

/** Whether everybody is at the head takes a look at everybody. */
const ASKED_EVERY_MS = 100;

export async function run(seed: number): Promise<Report> {
  const world = makeWorld(seed);
  await open(world);
  const schedule = (mean: number, act: () => void): void => {
    const again = (): void => {
      if (world.time.now() >= TROUBLE_MS) return;
      act();
      world.time.after(world.random.below(2 * mean), again);
    };
    world.time.after(world.random.below(2 * mean), again);
  };
  schedule(OPERATE_EVERY_MS, () => world.plane.running !== null && operate(world));
  schedule(TROUBLE_EVERY_MS, () => trouble(world));
  let steps = 0;
  const until = async (ms: number, done: () => boolean): Promise<void> => {
    while (world.time.now() < ms && world.broken === null && !done()) {
      await step(world);
      steps += 1;
    }
  };
  // The last trouble may still last for a minute: what it ends is ended by the healing.
  await until(TROUBLE_MS, () => false);
  let headAfterMs: number | null = null;
  if (world.broken === null) {
    heal(world);
    const healedAt = world.time.now();
    let askedAt = healedAt;
    await until(healedAt + HEAD_WITHIN_MS, () => {
      if (world.time.now() - askedAt < ASKED_EVERY_MS) return false;
      askedAt = world.time.now();
      return atHead(world);
    });
    if (atHead(world)) headAfterMs = world.time.now() - healedAt;
    else world.breakLaw(`[W7] not at the head ${HEAD_WITHIN_MS} ms after the last trouble: ${stragglers(world)}`);
  }
  return {
    seed,
    broken: world.broken,
    story: world.story,
    steps,
    virtualMs: world.time.now(),
    versions: world.history.versions.length,
    headAfterMs,
    hash: world.hash(),
    coverage: world.coverage,
  };
}

/** Everybody enforces exactly the head, knows that it is current, and the plane knows that they do. */
function atHead(world: World): boolean {
  return stragglers(world) === '';
}

function stragglers({ proxies, history, plane }: World): string {
  const head = history.versions.at(-1)!;
  const views = plane.running?.fleet.proxies() ?? [];
  return proxies
    .flatMap(({ name, host, server, running }) => {
      const want = history.wanted(head, host.id, server);
      const status = running?.link.status();
      const same = status?.policies?.digest === want.policies && status.restrictions?.digest === want.restrictions;
      const seen = views.find(({ boot }) => boot === running?.boot);
      if (same && status.staleMs === 0 && seen?.state === 'current' && seen.connected) return [];
      return [`${name}: ${JSON.stringify({ head: head.version, ...status, policies: status?.policies?.version, restrictions: status?.restrictions?.version, plane: seen?.state, problems: seen?.problems })}`];
    })
    .join('; ');
}
