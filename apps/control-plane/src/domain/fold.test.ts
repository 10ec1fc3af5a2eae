import { describe, expect, it } from 'vitest';
import { OPERATOR, policyFor, story } from '../../../../test/domain/story.ts';
import type { PlaneEvent, Recorded } from './events.ts';
import { evolve, fold, NOTHING } from './fold.ts';

/** It takes about 200 ms on two idle cores; a busy machine is given time, and copying maps for each event would still take minutes. */
const CEILING_MS = 2_000;

function recordedAs(seq: number, event: PlaneEvent): Recorded {
  return { seq, id: `e${seq}`, atMs: seq, actor: OPERATOR.actor, auth: OPERATOR.auth, reason: null, reasonErased: false, idem: `k${seq}`, commandSha256: 'c', cause: null, event };
}

describe('the fold', () => {
  it('[L1] takes the next event and no other', () => {
    const first = recordedAs(0, { type: 'WatchRecovered' });
    expect(() => evolve(NOTHING, recordedAs(1, { type: 'WatchRecovered' }))).toThrow(/does not follow/);
    expect(() => fold(NOTHING, [first, first])).toThrow(/does not follow/);
  });

  it('[L5] never changes a state that somebody holds', () => {
    const plane = story();
    plane.offer({ 'a.yaml': policyFor('a'), 'b.yaml': policyFor('b') });
    plane.do({ kind: 'restrict', selector: { server: [], labels: {} }, tools: null, readOnly: false, expiresAtMs: null });
    const states = plane.log().map((_, index) => fold(NOTHING, plane.log().slice(0, index + 1)));
    const before = structuredClone(states);
    fold(states[0]!, plane.log().slice(1));
    plane.offer({ 'a.yaml': policyFor('a', 2) });
    expect(states).toEqual(before);
  });

  it('[L5] is the same however the log is cut', () => {
    const plane = story();
    for (let n = 0; n < 6; n++) plane.offer({ 'a.yaml': policyFor('a', n), 'b.yaml': n % 2 === 0 ? 'version: [' : policyFor('b', n) });
    plane.do({ kind: 'rollback', to: 1, expected: null });
    const log = plane.log();
    for (let cut = 0; cut <= log.length; cut++) expect(fold(fold(NOTHING, log.slice(0, cut)), log.slice(cut))).toEqual(plane.state());
    expect(log.reduce(evolve, NOTHING)).toEqual(plane.state());
  });

  it('[L5] takes 50,000 events in a moment, with 1,000 policies and an idempotency key each', () => {
    const content = { textSha256: 't', textBytes: 1, modelSha256: 'm', modelBytes: 1 };
    const log = Array.from({ length: 50_000 }, (_, seq) =>
      recordedAs(seq, { type: 'PolicySetPublished', git: null, changes: [{ kind: 'changed', policy: `p${seq % 1_000}.yaml`, content }] }),
    );
    const took = Math.min(...[1, 2].map(() => {
      const start = performance.now();
      expect(fold(NOTHING, log).policies.size).toBe(1_000);
      return performance.now() - start;
    }));
    console.log(`50,000 events folded in ${took.toFixed(0)} ms`);
    expect(took).toBeLessThan(CEILING_MS);
  });
});
