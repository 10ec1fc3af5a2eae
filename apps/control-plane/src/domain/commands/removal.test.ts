import { describe, expect, it } from 'vitest';
import { documentOf, policyFor, story, types } from '../../../../../test/domain/story.ts';
import { firstSeed, random } from '../../../../../test/domain/random.ts';
import type { Random } from '../../../../../test/domain/random.ts';
import type { PlaneEvent } from '../events.ts';
import { overlaps } from '../overlap.ts';
import { REMOVAL_SHARE } from './removal.ts';

type Texts = Readonly<Record<string, string>>;

/** `s0.yaml` and so on, each about one server of that name. */
function many(count: number, folder = ''): Texts {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`${folder}s${n}.yaml`, policyFor(`s${n}`)]));
}

function waitIn(events: readonly PlaneEvent[]): Extract<PlaneEvent, { type: 'ChangeRefused' }> | undefined {
  return events.find((event) => event.type === 'ChangeRefused' && event.why === 'removal') as Extract<PlaneEvent, { type: 'ChangeRefused' }> | undefined;
}

describe('a removal that waits', () => {
  it('[F3] does not keep renamed files back, however many', () => {
    const plane = story();
    const guard = { 'guard.yaml': policyFor('*') };
    plane.offer({ ...guard, ...many(200, 'k/') });
    expect(types(plane.offer(many(200, 'k/')))).toEqual(['ChangeRefused removal']);
    const renamed = plane.offer(many(200, 'kk/'));
    expect(types(renamed)).toEqual(['PolicySetPublished']);
    expect(plane.inForce()).toEqual({ ...guard, ...many(200, 'kk/') });
    const [waiting] = plane.state().pendingRemovals.values();
    expect(waiting?.removes).toEqual(['guard.yaml']);
    expect(types(plane.do({ kind: 'confirm', expected: null, change: waiting?.change ?? '' }))).toEqual(['RemovalConfirmed', 'PolicySetPublished']);
    expect(plane.inForce()).toEqual(many(200, 'kk/'));
  });

  it('[F3] keeps back only what loosens, and names nothing else', () => {
    const plane = story();
    const other = { 'other-s1.yaml': policyFor('s1', 2) };
    plane.offer({ ...many(20), ...other });
    const { 's1.yaml': _one, 's2.yaml': _two, ...left } = many(20);
    const events = plane.offer({ ...left, ...other });
    expect(types(events)).toEqual(['ChangeRefused removal', 'PolicySetPublished']);
    expect(waitIn(events)).toMatchObject({ removes: ['s1.yaml'], message: expect.stringMatching(/^without s1\.yaml, proxies that keep other-s1\.yaml could do more\. s1\.yaml stays in force: bring back/) as string });
    expect(Object.keys(plane.inForce()).sort()).toEqual(Object.keys({ ...left, ...other, 's1.yaml': '' }).sort());
  });

  it('[F3] keeps back what loosens only because another one waits', () => {
    const plane = story();
    const chain = { 'ab.yaml': policyFor(['a', 'b']), 'bc.yaml': policyFor(['b', 'c']) };
    plane.offer({ ...many(20), 'a.yaml': policyFor('a'), ...chain });
    const events = plane.offer({ ...many(20), 'a.yaml': policyFor('a') });
    // `bc` shares no proxy with `a`, but it does with `ab`, which stays for the sake of `a`.
    expect(waitIn(events)?.removes).toEqual(['ab.yaml', 'bc.yaml']);
    expect(types(events)).toEqual(['ChangeRefused removal']);
  });

  it('[F3] counts what is lost, not what is renamed, against the fifth', () => {
    const plane = story();
    plane.offer(many(10, 'k/'));
    const { 'kk/s1.yaml': _one, 'kk/s2.yaml': _two, ...two } = many(10, 'kk/');
    expect(types(plane.offer(two))).toEqual(['PolicySetPublished']);
    const again = story();
    again.offer(many(10, 'k/'));
    const { 'kk/s3.yaml': _three, ...three } = two;
    const events = again.offer(three);
    expect(types(events)).toEqual(['ChangeRefused removal', 'PolicySetPublished']);
    expect(waitIn(events)?.removes).toEqual(['k/s1.yaml', 'k/s2.yaml', 'k/s3.yaml']);
  });
});

describe('removals', () => {
  it('[F3] never leave a proxy with more than it could do, keep nothing back without need, and are complete once confirmed', () => {
    const first = firstSeed();
    let waited = 0;
    for (let seed = first; seed < first + WORLDS; seed++) {
      try {
        waited += removeSome(random(seed)) ? 1 : 0;
      } catch (error) {
        throw new Error(`SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
    // The worlds must have seen both.
    expect(waited).toBeGreaterThan(WORLDS / 5);
    expect(waited).toBeLessThan(0.95 * WORLDS);
  });
});

const WORLDS = 120;
/** So many that some policies share no proxy with any other, and some with one other only. */
const SERVERS = 90;

function anyPolicy(dice: Random): string {
  const labels = dice.chance(0.4) ? `, labels: { env: [${dice.pick(['prod', 'staging', 'pr*'])}] }` : '';
  const server = (): string => (dice.chance(0.03) ? `"s${dice.int(10)}*"` : `s${dice.int(SERVERS)}`);
  return `version: "1"\ndescription: "${dice.int(1_000)}"\nmatch: { server: [${server()}, ${server()}]${labels} }\n`;
}

/** Some files go, some are renamed, some come. Gives whether any removal waited. */
function removeSome(dice: Random): boolean {
  const plane = story();
  const before: Record<string, string> = {};
  for (let n = 0; n < 30; n++) before[`p${n}.yaml`] = anyPolicy(dice);
  plane.offer(before);
  const after: Record<string, string> = {};
  const renamed: string[] = [];
  for (const [id, text] of Object.entries(before)) {
    const what = dice.int(20);
    if (what < 2) continue;
    if (what < 5) renamed.push(id);
    after[what < 5 ? `new-${id}` : id] = text;
  }
  if (dice.chance(0.5)) after['fresh.yaml'] = anyPolicy(dice);
  const lost = Object.keys(before).filter((id) => !(id in after) && !renamed.includes(id));
  const removes = waitIn(plane.offer(after))?.removes ?? [];

  expect(removes.every((id) => lost.includes(id))).toBe(true);
  const now = plane.inForce();
  expect(now).toEqual({ ...after, ...Object.fromEntries(removes.map((id) => [id, before[id]])) });
  const keeps = (id: string, text: string | undefined): boolean => Object.entries(now).some(([other, kept]) => other !== id && kept !== text && meet([id, text ?? ''], [other, kept]));
  for (const id of lost) if (!removes.includes(id)) expect(keeps(id, before[id]), `${id} went`).toBe(false);
  if (lost.length <= REMOVAL_SHARE * 30) for (const id of removes) expect(keeps(id, before[id]), `${id} waits`).toBe(true);
  expect(plane.offer(after)).toEqual([]);
  if (removes.length === 0) return false;
  const [pending] = plane.state().pendingRemovals.values();
  expect(types(plane.do({ kind: 'confirm', expected: null, change: pending?.change ?? '' }))).toEqual(['RemovalConfirmed', 'PolicySetPublished']);
  expect(plane.inForce()).toEqual(after);
  return true;
}

function meet([id, text]: readonly [string, string], [other, kept]: readonly [string, string]): boolean {
  const [one, two] = [documentOf(id, text), documentOf(other, kept)];
  return one.kind === 'valid' && two.kind === 'valid' && overlaps(one.policy.match, two.policy.match);
}
