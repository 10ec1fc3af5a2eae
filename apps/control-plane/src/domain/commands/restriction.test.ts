import { describe, expect, it } from 'vitest';
import { INVALID, OPERATOR, story, types } from '../../../../../test/domain/story.ts';
import type { Command } from '../command.ts';
import type { Role } from '../events.ts';
import { MAX_LOCKDOWNS_OF_ONE, MAX_OF_ONE, MAX_RESTRICTIONS, RESERVED_FOR_LOCKDOWNS } from './restriction.ts';

const LOCKDOWN: Command = { kind: 'restrict', selector: { server: [], labels: {} }, tools: null, readOnly: false, expiresAtMs: null };
const lift = (restriction: string, expected: number | null = null): Command => ({ kind: 'lift', restriction, expected });

describe('a restriction', () => {
  it('is imposed once, whatever else is broken, and needs no version', () => {
    const plane = story();
    plane.offer({ 'a.yaml': INVALID });
    plane.do({ kind: 'watch-failed', problem: 'the directory is gone' });
    expect(plane.do(LOCKDOWN)).toMatchObject([
      { type: 'RestrictionImposed', restriction: { id: 'r-3', scope: { kind: 'all' }, reason: 'because', actor: 'op-1', imposedAtMs: OPERATOR.nowMs, expiresAtMs: null } },
    ]);
    expect(plane.do(LOCKDOWN)).toBe('already-done');
    expect(plane.do({ ...LOCKDOWN, expiresAtMs: OPERATOR.nowMs + 1 })).toBe('already-done');
    expect(plane.state().version).toBe(3);
    expect(plane.state().restrictionsVersion).toBe(3);
  });

  it('lasts longer by being imposed again for longer', () => {
    const plane = story();
    plane.do({ ...LOCKDOWN, expiresAtMs: OPERATOR.nowMs + 10 });
    expect(types(plane.do({ ...LOCKDOWN, expiresAtMs: OPERATOR.nowMs + 20 }))).toEqual(['RestrictionImposed']);
    expect(types(plane.do(LOCKDOWN))).toEqual(['RestrictionImposed']);
    expect(plane.state().restrictions.size).toBe(3);
  });

  it('is the same in whatever order its parts are named', () => {
    const plane = story();
    const restrict = (server: string[], labels: Record<string, string[]>, tools: string[]): Command => ({ kind: 'restrict', selector: { server, labels }, tools, readOnly: true, expiresAtMs: null });
    expect(types(plane.do(restrict(['a', 'b'], { env: ['x', 'y'], team: ['t'] }, ['q', 'p'])))).toEqual(['RestrictionImposed']);
    expect(plane.do(restrict(['b', 'a'], { team: ['t'], env: ['y', 'x'] }, ['p', 'q']))).toBe('already-done');
  });

  it('needs a reason and well-formed globs', () => {
    const plane = story();
    expect(plane.do(LOCKDOWN, { reason: null })).toBe('reason-required');
    expect(plane.do(LOCKDOWN, { reason: 'x'.repeat(2_001) })).toBe('invalid');
    expect(plane.do({ ...LOCKDOWN, tools: [] })).toBe('invalid');
    expect(plane.do({ ...LOCKDOWN, tools: [''] })).toBe('invalid');
    expect(plane.do({ ...LOCKDOWN, selector: { server: ['a\nb'], labels: {} } })).toBe('invalid');
    expect(plane.do({ ...LOCKDOWN, selector: { server: [], labels: { env: [] } } })).toBe('invalid');
    expect(plane.do({ ...LOCKDOWN, expiresAtMs: OPERATOR.nowMs })).toBe('invalid');
    expect(plane.do({ ...LOCKDOWN, expiresAtMs: NaN })).toBe('invalid');
    expect(plane.log()).toHaveLength(1);
  });

  it('is lifted once, with a reason, on the version that was looked at', () => {
    const plane = story();
    plane.do(LOCKDOWN);
    expect(plane.do(lift('r-1'), { reason: '' })).toBe('reason-required');
    expect(plane.do(lift('r-1', 0))).toBe('expected-version');
    expect(plane.do(lift('r-9'))).toBe('not-found');
    expect(types(plane.do(lift('r-1', 1)))).toEqual(['RestrictionLifted']);
    expect(plane.do(lift('r-1'))).toBe('already-done');
    expect(plane.state().restrictions.size).toBe(0);
  });

  it('expires by an event, when its time is over and not before, once', () => {
    const plane = story();
    plane.do({ ...LOCKDOWN, expiresAtMs: OPERATOR.nowMs + 10 });
    expect(plane.do({ kind: 'expire', restriction: 'r-1' }, { nowMs: OPERATOR.nowMs + 9 })).toBe('invalid');
    expect(types(plane.do({ kind: 'expire', restriction: 'r-1' }, { nowMs: OPERATOR.nowMs + 10 }))).toEqual(['RestrictionExpired']);
    expect(plane.do({ kind: 'expire', restriction: 'r-1' })).toEqual([]);
  });
});

describe('[O5] the places for restrictions', () => {
  const narrow = (n: number): Command => ({ kind: 'restrict', selector: { server: [`agent-${n}`], labels: {} }, tools: null, readOnly: false, expiresAtMs: null });
  const until = (ms: number): Command => ({ ...LOCKDOWN, expiresAtMs: OPERATOR.nowMs + ms });
  /** A plane, and the actor of a token of this role. */
  function staffed(...roles: readonly Role[]) {
    const plane = story();
    const by = roles.map((role, n) => {
      plane.do({ kind: 'create-operator-token', token: `op-${n}-of-${role}`, secretSha256: 'ab'.repeat(32), name: role, role });
      return { actor: { kind: 'operator', id: `op-${n}-of-${role}` } } as const;
    });
    return { plane, by };
  }

  it('cannot be used up by one who may not lift: lockdowns of others and of its own go on', () => {
    const { plane, by } = staffed('responder', 'responder');
    const outcomes = Array.from({ length: MAX_RESTRICTIONS + 1 }, (_, n) => plane.do(narrow(n), by[0]));
    expect(outcomes.filter((outcome) => outcome !== 'limit')).toHaveLength(MAX_OF_ONE);
    expect(types(plane.do(narrow(5_000), by[1]))).toEqual(['RestrictionImposed']);
    const lockdowns = Array.from({ length: 60 }, (_, n) => plane.do(until(1_000 + n), by[0]));
    expect(lockdowns.filter((outcome) => outcome !== 'limit')).toHaveLength(MAX_LOCKDOWNS_OF_ONE);
    expect(types(plane.do(until(9_000), by[1]))).toEqual(['RestrictionImposed']);
    expect(types(plane.do(LOCKDOWN, by[0]))).toEqual(['RestrictionImposed']);
    expect(plane.do(LOCKDOWN, by[1])).toBe('already-done');
  });

  it('cannot be used up by admins either, nor may more be active than proxies take', () => {
    const { plane, by } = staffed('admin', 'responder');
    const taken = Array.from({ length: MAX_RESTRICTIONS + 1 }, (_, n) => plane.do(narrow(n), by[0])).filter((outcome) => outcome !== 'limit');
    expect(taken).toHaveLength(MAX_RESTRICTIONS - RESERVED_FOR_LOCKDOWNS);
    // What denies only some of it has none of the places that are kept.
    for (const other of [{ ...LOCKDOWN, readOnly: true }, { ...LOCKDOWN, tools: ['*'] }, { ...LOCKDOWN, selector: { server: [], labels: { env: ['*'] } } }]) expect(plane.do(other, by[0])).toBe('limit');
    const more = Array.from({ length: MAX_RESTRICTIONS }, (_, n) => plane.do(until(1_000 + n), by[0])).filter((outcome) => outcome !== 'limit');
    expect(more).toHaveLength(RESERVED_FOR_LOCKDOWNS - 1);
    expect(types(plane.do(LOCKDOWN, by[1]))).toEqual(['RestrictionImposed']);
    expect(plane.state().restrictions.size).toBe(MAX_RESTRICTIONS);
  });
});

describe('watching', () => {
  it('[F3] records once that the directory cannot be read, and once that it can again', () => {
    const plane = story();
    expect(plane.do({ kind: 'watch-recovered' })).toEqual([]);
    expect(types(plane.do({ kind: 'watch-failed', problem: 'gone' }))).toEqual(['WatchFailed']);
    expect(plane.do({ kind: 'watch-failed', problem: 'gone' })).toEqual([]);
    expect(types(plane.do({ kind: 'watch-failed', problem: 'forbidden' }))).toEqual(['WatchFailed']);
    expect(types(plane.do({ kind: 'watch-recovered' }))).toEqual(['WatchRecovered']);
    expect(plane.do({ kind: 'watch-recovered' })).toEqual([]);
  });
});
