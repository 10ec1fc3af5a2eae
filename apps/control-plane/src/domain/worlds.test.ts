/** Seeded worlds: whatever people do to the directory and to the plane, in whatever order, what must hold holds after each step. */
import { describe, expect, it } from 'vitest';
import { firstSeed, random } from '../../../../test/domain/random.ts';
import type { Random } from '../../../../test/domain/random.ts';
import { INVALID, policyFor, story } from '../../../../test/domain/story.ts';
import type { File, Story } from '../../../../test/domain/story.ts';
import { fold, NOTHING } from './fold.ts';

const WORLDS = 3_000;
const STEPS = 14;
const IDS = ['a.yaml', 'b.yaml', 'c.yaml', 'd.yaml'];

interface World {
  readonly plane: Story;
  readonly files: Map<string, File>;
  /** What rollbacks withdrew: `<id>\n<text or absent>`, by the naive rule. */
  readonly withdrawn: Set<string>;
  readonly seen: { rollbacks: number; returned: number; barred: number; forward: number };
  fresh: number;
}

describe('worlds', () => {
  it('[R1][R3][F2][F5][F6][L5] withdrawn content never returns by itself, and fix-forward edits always publish', () => {
    const first = firstSeed();
    const seen = { rollbacks: 0, returned: 0, barred: 0, forward: 0 };
    for (let seed = first; seed < first + WORLDS; seed++) {
      try {
        live(random(seed), seen);
      } catch (error) {
        throw new Error(`world ${seed} (SEED=${seed}): ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
    // The worlds must have seen what they are about.
    expect(seen.returned).toBe(0);
    expect(seen.rollbacks).toBeGreaterThan(WORLDS);
    expect(seen.barred).toBeGreaterThan(WORLDS);
    expect(seen.forward).toBeGreaterThan(WORLDS);
  }, 120_000);
});

function live(dice: Random, seen: World['seen']): void {
  const world: World = { plane: story(), files: new Map(), withdrawn: new Set(), seen, fresh: 0 };
  for (const id of IDS.slice(0, 3)) edit(world, id);
  offer(world);
  for (let step = 0; step < STEPS; step++) {
    act(world, dice);
    check(world);
  }
}

function act(world: World, dice: Random): void {
  const id = dice.pick(IDS);
  switch (dice.int(11)) {
    case 0:
    case 1:
      edit(world, id);
      return offer(world);
    case 2: {
      // Back to what some file said before.
      const texts = world.plane.log().length;
      const old = policyFor(dice.pick(IDS).slice(0, 1), dice.int(Math.max(1, Math.min(world.fresh, texts))));
      world.files.set(id, old);
      return offer(world);
    }
    case 3: {
      const file = world.files.get(id);
      const to = dice.pick(IDS);
      if (file === undefined) return;
      world.files.delete(id);
      world.files.set(to, file);
      return offer(world, dice.chance(0.5));
    }
    case 4:
      world.files.delete(id);
      return offer(world, dice.chance(0.5));
    case 5:
      world.files.set(id, dice.chance(0.5) ? INVALID : { unreadable: 'EACCES' });
      return offer(world, dice.chance(0.5));
    case 6:
      world.plane.restart();
      return offer(world);
    case 7:
    case 8:
      return rollback(world, dice.int(world.plane.state().size));
    case 9:
      return release(world, id);
    default:
      return confirm(world);
  }
}

function edit(world: World, id: string): void {
  world.files.set(id, policyFor(id.slice(0, 1), world.fresh++));
}

function offer(world: World, accept = false): void {
  const { plane, files, withdrawn, seen } = world;
  const before = plane.inForce();
  const size = plane.state().size;
  const offered = Object.fromEntries(files);
  const options = { removals: accept ? 'accept' : 'wait' } as const;
  const published = plane.offer(offered, options).filter((event) => event.type === 'PolicySetPublished');
  expect(published.length).toBeLessThanOrEqual(1);
  const after = plane.inForce();
  const contents = new Set([...withdrawn].map((one) => one.slice(one.indexOf('\n') + 1)));
  for (const id of IDS) {
    if (before[id] !== after[id] && (after[id] === undefined ? withdrawn.has(`${id}\nabsent`) : contents.has(after[id]))) seen.returned++;
    const file = files.get(id);
    if (typeof file === 'string' && file !== INVALID) {
      if (after[id] === file) seen.forward += before[id] === file ? 0 : 1;
      else if (contents.has(file)) seen.barred++;
      else throw new Error(`${id} was not published, though nothing is against it`);
    } else if (file !== undefined && before[id] !== after[id]) throw new Error(`${id} changed, though its file says nothing`);
  }
  if (published.length === 0 && JSON.stringify(before) !== JSON.stringify(after)) throw new Error('something changed without an event');
  // The same directory again is no news.
  const grown = plane.state().size;
  expect(plane.offer(offered, options)).toEqual([]);
  expect(plane.state().size).toBe(grown);
  expect(grown).toBeGreaterThanOrEqual(size);
}

function rollback(world: World, to: number): void {
  const { plane, withdrawn, seen } = world;
  const before = plane.inForce();
  const version = plane.state().version;
  const events = plane.do({ kind: 'rollback', to, expected: null });
  if (typeof events === 'string') {
    if (events !== 'already-done') throw new Error(`the rollback to ${to} was refused: ${events}`);
    return;
  }
  seen.rollbacks++;
  if (!(plane.state().version > version)) throw new Error('a rollback must be a higher version');
  const after = plane.inForce();
  for (const one of [...withdrawn]) {
    const [id, ...content] = one.split('\n');
    if ((after[id!] ?? 'absent') === content.join('\n')) withdrawn.delete(one);
  }
  for (const id of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (before[id] !== after[id]) withdrawn.add(`${id}\n${before[id] ?? 'absent'}`);
  }
  // Only what holds is refused with it; nothing is published.
  for (const event of events.slice(1)) if (event.type !== 'ChangeRefused' || event.why !== 'held') throw new Error(`a rollback led to ${event.type}`);
}

function release(world: World, id: string): void {
  const held = world.plane.state().holds.some(({ policy }) => policy === id);
  const events = world.plane.do({ kind: 'release', policy: id, expected: null });
  if (held !== (typeof events !== 'string')) throw new Error(`a release of ${id} answered ${typeof events}`);
  for (const one of [...world.withdrawn]) if (one.startsWith(`${id}\n`)) world.withdrawn.delete(one);
}

function confirm(world: World): void {
  const [pending] = world.plane.state().pendingRemovals.values();
  if (pending === undefined) return;
  const events = world.plane.do({ kind: 'confirm', expected: null, change: pending.change });
  if (typeof events === 'string') return;
  for (const id of pending.removes) if (world.plane.state().policies.has(id)) throw new Error(`${id} was confirmed and is still there`);
  expect(world.plane.do({ kind: 'confirm', expected: null, change: pending.change })).toBe('already-done');
}

function check({ plane, withdrawn }: World): void {
  // Never a doubt what is held.
  const held = new Set(plane.state().holds.map(({ policy, content }) => `${policy} ${content}`));
  expect(held.size).toBe(plane.state().holds.length);
  expect(held.size).toBe(withdrawn.size);
  // The state is the fold of the log, however it is cut.
  const again = fold(NOTHING, plane.log());
  expect(again).toEqual(plane.state());
}
