import { describe, expect, it } from 'vitest';
import { policyFor, story, types } from '../../../../../test/domain/story.ts';
import { outstanding } from '../outstanding.ts';

const a1 = policyFor('a', 1);
const a2 = policyFor('a', 2);
const a3 = policyFor('a', 3);
const b = policyFor('b');

/** Version 1: a1. Version 2: a2. */
function twoVersions() {
  const plane = story();
  plane.offer({ 'a.yaml': a1, 'b.yaml': b });
  plane.offer({ 'a.yaml': a2, 'b.yaml': b });
  return plane;
}
const back = (to: number, expected: number | null = null) => ({ kind: 'rollback', to, expected }) as const;
const release = (policy: string) => ({ kind: 'release', policy, expected: null }) as const;

describe('a rollback', () => {
  it('[R1] is a new, higher version with the old content', () => {
    const plane = twoVersions();
    const events = plane.do(back(1));
    expect(types(events)).toEqual(['RolledBack', 'ChangeRefused held']);
    expect(plane.state().version).toBe(3);
    expect(plane.state().policiesVersion).toBe(3);
    expect(plane.inForce()).toEqual({ 'a.yaml': a1, 'b.yaml': b });
  });

  it('[R1] is refused for what is in force already, for what never was, on another version, and without a reason', () => {
    const plane = twoVersions();
    expect(plane.do(back(2))).toBe('already-done');
    expect(plane.do(back(99))).toBe('not-found');
    expect(plane.do(back(-1))).toBe('not-found');
    expect(plane.do(back(1.5))).toBe('not-found');
    expect(plane.do(back(1, 1))).toBe('expected-version');
    expect(plane.do(back(1), { reason: ' ' })).toBe('reason-required');
    expect(types(plane.do(back(1, 2)))[0]).toBe('RolledBack');
    expect(plane.do(back(1))).toBe('already-done');
  });

  it('[R1] takes a seq that is no version for the last version before it', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a1 });
    plane.do({ kind: 'watch-failed', problem: 'gone' });
    plane.offer({ 'a.yaml': a2 });
    expect(plane.do(back(2))).toMatchObject([{ type: 'RolledBack', to: 1 }, {}]);
  });

  it('[R2] leaves restrictions alone', () => {
    const plane = twoVersions();
    plane.do({ kind: 'restrict', selector: { server: [], labels: {} }, tools: null, readOnly: false, expiresAtMs: null });
    plane.do(back(1));
    expect([...plane.state().restrictions.keys()]).toEqual(['r-3']);
    expect(plane.state().restrictionsVersion).toBe(3);
  });

  it('[R3] holds what it withdrew, under any id, through restarts and unrelated saves', () => {
    const plane = twoVersions();
    plane.do(back(1));
    expect(plane.state().holds).toMatchObject([{ policy: 'a.yaml', since: 3, reason: 'because', by: { id: 'op-1' } }]);
    // The refusal was recorded with the rollback, so a restart has no news.
    plane.restart();
    expect(plane.offer({ 'a.yaml': a2, 'b.yaml': b })).toEqual([]);
    expect(types(plane.offer({ 'a.yaml': a2, 'b.yaml': policyFor('b', 2) }))).toEqual(['PolicySetPublished']);
    expect(types(plane.offer({ 'renamed.yaml': a2, 'b.yaml': policyFor('b', 2) }))).toEqual(['ChangeRefused removal', 'ChangeRefused held']);
    expect(plane.inForce()['a.yaml']).toBe(a1);
  });

  it('[F5] publishes every other content of a held document', () => {
    const plane = twoVersions();
    plane.do(back(1));
    expect(types(plane.offer({ 'a.yaml': a3, 'b.yaml': b }))).toEqual(['PolicySetPublished']);
    expect(plane.inForce()['a.yaml']).toBe(a3);
    // …and withdrawn content stays withdrawn.
    expect(types(plane.offer({ 'a.yaml': a2, 'b.yaml': b }))).toEqual(['ChangeRefused held']);
    expect(plane.inForce()['a.yaml']).toBe(a3);
  });

  it('[R3] holds the absence of a policy whose removal it undid', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a1, 'b.yaml': b });
    plane.offer({ 'b.yaml': b });
    expect(types(plane.do(back(1)))).toEqual(['RolledBack', 'ChangeRefused held']);
    plane.restart();
    expect(plane.offer({ 'b.yaml': b }, { removals: 'accept' })).toEqual([]);
    expect(plane.inForce()['a.yaml']).toBe(a1);
    expect(types(plane.do(release('a.yaml')))).toEqual(['HoldReleased', 'PolicySetPublished']);
    expect(plane.inForce()).toEqual({ 'b.yaml': b });
  });

  it('[R3] holds a policy that had come since', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a1 });
    plane.offer({ 'a.yaml': a1, 'b.yaml': b });
    plane.do(back(1));
    expect(plane.inForce()).toEqual({ 'a.yaml': a1 });
    expect(plane.offer({ 'a.yaml': a1, 'b.yaml': b })).toEqual([]);
    expect(types(plane.offer({ 'a.yaml': a1, 'b.yaml': policyFor('b', 2) }))).toEqual(['PolicySetPublished']);
  });

  it('[R3] ends a hold by a rollback to a version where its content was in force', () => {
    const plane = twoVersions();
    plane.do(back(1));
    expect(types(plane.do(back(2)))).toEqual(['RolledBack']);
    expect(plane.inForce()['a.yaml']).toBe(a2);
    expect(plane.state().holds).toMatchObject([{ policy: 'a.yaml' }]);
    expect(plane.offer({ 'a.yaml': a2, 'b.yaml': b })).toEqual([]);
    // What the second rollback withdrew is held in its turn.
    expect(types(plane.offer({ 'a.yaml': a1, 'b.yaml': b }))).toEqual(['ChangeRefused held']);
  });

  it('[R3] keeps apart the old and the new name of a file that was renamed', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a1, 'b.yaml': b });
    plane.offer({ 'moved.yaml': a1, 'b.yaml': b });
    plane.do(back(1));
    expect(plane.inForce()).toEqual({ 'a.yaml': a1, 'b.yaml': b });
    expect(plane.offer({ 'moved.yaml': a1, 'b.yaml': b }, { removals: 'accept' })).toEqual([]);
    expect(plane.inForce()).toEqual({ 'a.yaml': a1, 'b.yaml': b });
  });
});

describe('releasing a hold', () => {
  it('[R3] publishes what the directory says, as a consequence, and once', () => {
    const plane = twoVersions();
    plane.do(back(1));
    expect(outstanding(plane.state(), null).refused).toMatchObject([{ policy: 'a.yaml', why: 'held' }]);
    expect(types(plane.do(release('a.yaml')))).toEqual(['HoldReleased', 'PolicySetPublished']);
    expect(plane.inForce()['a.yaml']).toBe(a2);
    expect(plane.state().holds).toEqual([]);
    expect(plane.do(release('a.yaml'))).toBe('not-found');
  });

  it('[R3] is refused on another version', () => {
    const plane = twoVersions();
    plane.do(back(1));
    expect(plane.do({ kind: 'release', policy: 'a.yaml', expected: 2 })).toBe('expected-version');
  });
});
