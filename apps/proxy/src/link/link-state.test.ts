import { describe, expect, it } from 'vitest';
import { CLOSE_REASONS } from '@portcullis/policy-core';
import { afterLoss, linkState, refusalAdvice, type LinkState, type Loss } from './link-state.ts';

const nothing: Loss = { reason: null, problem: null, planeLog: null };
const linked: LinkState = { kind: 'connected', sinceMs: 10 };

describe('how a proxy stands with its plane', () => {
  it('counts from the moment the link was lost, however many tries have failed since', () => {
    const lost = afterLoss(linked, nothing, 20);
    expect(lost).toEqual({ kind: 'connecting', sinceMs: 20, problem: 'the connection ended' });
    expect(afterLoss(lost, { ...nothing, problem: 'connect ECONNREFUSED' }, 30)).toEqual({ kind: 'connecting', sinceMs: 20, problem: 'connect ECONNREFUSED' });
  });

  it('counts a refusal from its first time, and another refusal anew', () => {
    const refused = afterLoss(linked, { ...nothing, reason: 'revoked' }, 20);
    expect(refused).toEqual({ kind: 'refused', sinceMs: 20, reason: 'revoked', planeLog: null });
    expect(afterLoss(refused, { ...nothing, reason: 'revoked' }, 30)).toEqual(refused);
    expect(afterLoss(refused, { ...nothing, reason: 'other-log', planeLog: 'p/1' }, 40)).toMatchObject({ kind: 'refused', sinceMs: 40 });
    expect(afterLoss(refused, nothing, 50)).toMatchObject({ kind: 'connecting', sinceMs: 50 });
  });

  it.each(CLOSE_REASONS)('is written and read again whatever the plane said (%s), and says what that means', (reason) => {
    const state = afterLoss(linked, { ...nothing, reason, planeLog: 'p/1' }, 20);
    expect(linkState(JSON.parse(JSON.stringify(state)), '')).toEqual({ ok: true, value: state });
    expect(refusalAdvice(reason, 'p/1').length).toBeGreaterThan(15);
  });
});
