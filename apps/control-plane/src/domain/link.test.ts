import { describe, expect, it } from 'vitest';
import { acknowledged, ANSWER_MS, enforces, isSlow, missed, openLink, plan, refusal, refused } from './link.ts';
import type { Link, Want } from './link.ts';

const nothing = { policies: null, restrictions: null, pending: true, inFlight: 0 };
const want: Want = { version: 5, policies: 'p5', restrictions: 'r5', restrictionsVersion: 4 };
const mark = (version: number, digest: string) => ({ version, digest });
const all = { policies: mark(5, 'p5'), restrictions: mark(5, 'r5'), pending: false, inFlight: 0 };

function sent(link: Link, to: Want, nowMs = 0): readonly string[] {
  return plan(link, to, nowMs).send;
}

describe('the link', () => {
  it('[W6] sends the restrictions before the policies, and nothing twice', () => {
    const first = plan(openLink(nothing, 0, new Map()), want, 0);
    expect(first.send).toEqual(['restrict', 'snapshot']);
    expect(sent(first.link, want)).toEqual([]);
    expect(sent(acknowledged(first.link, all), want)).toEqual([]);
  });

  it('[W6] a newer restriction does not wait for anything; a newer snapshot waits for the one on its way', () => {
    const { link } = plan(openLink(nothing, 0, new Map()), want, 0);
    const next = plan(link, { version: 6, policies: 'p6', restrictions: 'r6', restrictionsVersion: 6 }, 1);
    expect(next.send).toEqual(['restrict']);
    const answered = acknowledged(next.link, { ...all, restrictions: mark(6, 'r6'), pending: true });
    expect(sent(answered, { version: 8, policies: 'p8', restrictions: 'r6', restrictionsVersion: 6 })).toEqual(['snapshot']);
  });

  it('[W4] whoever holds it all is told the version, once', () => {
    const { link, send } = plan(openLink(all, 0, new Map()), { ...want, version: 9 }, 0);
    expect(send).toEqual(['advance']);
    expect(sent(link, { ...want, version: 9 })).toEqual([]);
    expect(sent(acknowledged(link, { ...all, policies: mark(9, 'p5'), restrictions: mark(9, 'r5') }), { ...want, version: 9 })).toEqual([]);
    expect(sent(openLink({ ...all, pending: true }, 0, new Map()), want)).toEqual(['advance']);
  });

  it('[W6] policies never go without the restrictions they were published under', () => {
    const old = { ...all, restrictions: mark(3, 'r5') };
    expect(sent(openLink(old, 0, new Map()), { version: 7, policies: 'p7', restrictions: 'r5', restrictionsVersion: 4 })).toEqual(['restrict', 'snapshot']);
    expect(sent(openLink(all, 6, new Map()), { version: 7, policies: 'p7', restrictions: 'r5', restrictionsVersion: 4 })).toEqual(['restrict', 'snapshot']);
  });

  it('[W5] what is refused for good is not sent again; restrictions and later versions are', () => {
    const { link } = plan(openLink({ ...all, policies: mark(4, 'p4') }, 0, new Map()), want, 0);
    const nacked = refused(link, { part: 'policies', digest: 'p5', kind: 'unsupported', problems: ['x'] }, 0);
    expect(sent(nacked, want, 1e9)).toEqual([]);
    expect(refusal(nacked, want)?.problems).toEqual(['x']);
    expect(sent(nacked, { ...want, version: 6, restrictions: 'r6', restrictionsVersion: 6 })).toEqual(['restrict']);
    expect(sent(nacked, { ...want, version: 6, policies: 'p6' })).toEqual(['snapshot']);
  });

  it('[W5] what is refused for now is tried again, later and later, and delays no restriction', () => {
    let { link } = plan(openLink({ ...all, policies: mark(4, 'p4') }, 0, new Map()), want, 0);
    let now = 0;
    const waits: number[] = [];
    for (let failure = 0; failure < 12; failure++) {
      link = refused(link, { part: 'policies', digest: 'p5', kind: 'transient', problems: [] }, now);
      expect(sent(link, want, now)).toEqual([]);
      expect(sent(link, { ...want, version: 6, restrictions: 'r6' }, now)).toEqual(['restrict']);
      const { atMs } = link.retry.policies ?? { atMs: 0 };
      waits.push(atMs - now);
      now = atMs;
      const again = plan(link, want, now);
      expect(again.send).toEqual(['snapshot']);
      link = again.link;
    }
    expect([waits[0], waits[1], waits.at(-1)]).toEqual([50, 100, 30_000]);
  });

  it('a proxy that answers nothing is slow; one that is told nothing is not', () => {
    const { link } = plan(openLink(nothing, 0, new Map()), want, 100);
    expect([isSlow(link, 100 + ANSWER_MS), isSlow(link, 101 + ANSWER_MS), isSlow(openLink(all, 0, new Map()), 1e9)]).toEqual([false, true, false]);
  });

  it('a proxy enforces what it holds exactly, and not while a lift is pending', () => {
    expect([enforces(all, want), enforces({ ...all, pending: true }, want), enforces(all, { ...want, policies: 'p6' }), enforces(nothing, want)]).toEqual([true, false, false, false]);
  });

  it('[W7] what was sent before a lease that was heard, and is not held, is sent again; what was sent after it is waited for', () => {
    const { link } = plan(openLink({ ...all, restrictions: mark(4, 'r4') }, 0, new Map()), { ...want, version: 6, policies: 'p6', restrictions: 'r6', restrictionsVersion: 6 }, 100);
    const newer = { ...want, version: 6, policies: 'p6', restrictions: 'r6', restrictionsVersion: 6 };
    expect(sent(missed(link, 100), newer, 200)).toEqual([]);
    expect(sent(missed(link, 101), newer, 200)).toEqual(['restrict', 'snapshot']);
  });
});
