/** The laws of deciding, on random policies and calls: against a second evaluator, and against themselves. */
import { compilePolicies, decide, memoryCounters } from '@portcullis/policy-core';
import type { Call, CallContext, CounterStore, Decision, Policy, Restriction } from '@portcullis/policy-core';
import { describe, expect, it } from 'vitest';
import { LABELS, SERVER, UPSTREAM, call, context, policy, policySet, restriction, rule } from './policy-generator.ts';
import { random } from './random.ts';
import type { Random } from './random.ts';
import { reference } from './reference-evaluator.ts';
import type { Counts } from './reference-evaluator.ts';

/** Seeds that once told the two evaluators apart: 7125, a `+` in a host, which the reference took for one. */
const KEPT_SEEDS: readonly number[] = [7125];

/** Declares the laws; each is shown on `cases` random worlds. PORTCULLIS_LAW_SEED starts elsewhere. */
export function describeLaws(cases: number): void {
  const firstSeed = Number(process.env['PORTCULLIS_LAW_SEED'] ?? 1);
  const worlds = (count: number, check: (random: Random, seed: number) => void): void => {
    for (const seed of [...KEPT_SEEDS, ...Array.from({ length: Math.ceil(count) }, (_, index) => firstSeed + index)]) {
      try {
        check(random(seed), seed);
      } catch (error) {
        throw new Error(`seed ${seed} (PORTCULLIS_LAW_SEED=${seed}): ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
  };

  // A case takes a fraction of a millisecond; a busy machine may take ten times as long.
  describe(`laws of deciding, ${cases} cases`, { timeout: 30_000 + cases * 5 }, () => {
    it('[E4] decides as the reference evaluator does, and names the same causes with file and line, over sequences that count', () => {
      const seen = new Map<string, number>();
      worlds(cases, (random) => {
        const policies = policySet(random);
        const restrictions = random.chance(0.25) ? [restriction(random, 'rst-1'), restriction(random, 'rst-2')].slice(0, 1 + random.below(2)) : [];
        const enforcement = compiled(policies);
        const counters = memoryCounters();
        const counts: Counts = { rows: new Map() };
        const first = call(random);
        let now = context(random);
        for (let step = 0; step < 3; step++) {
          const asked = random.chance(0.6) ? first : call(random);
          const later = context(random);
          // The reference knows nothing of clocks that step back; the contract suite of the counters does.
          now = { ...later, nowMs: Math.max(later.nowMs, now.nowMs) };
          const { decision } = decide({ enforcement, restrictions, call: asked, context: now, counters });
          const expected = reference({ policies, restrictions, call: asked, context: now, counts });
          const got = comparable(decision);
          const wanted = comparable(expected);
          // The deep comparison with a readable difference is slow, and needed only where the texts differ.
          if (JSON.stringify(got) !== JSON.stringify(wanted)) expect(got).toEqual(wanted);
          expect(decision.message === null).toBe(decision.decision === 'allow');
          seen.set(decision.reason, (seen.get(decision.reason) ?? 0) + 1);
        }
      });
      // The generator must reach every reason that evaluation can give, or the comparison shows nothing about it.
      for (const reason of ['allowed', 'no-policy', 'wrong-upstream', 'restricted', 'stale', 'hidden', 'default', 'rule', 'limit', 'error', 'ambiguous-uri']) {
        expect([reason, (seen.get(reason) ?? 0) > cases / 1000]).toEqual([reason, true]);
      }
    });

    it('[E1] adding a policy, a rule, a hide or a restriction never turns a deny into an allow', () => {
      worlds(cases / 2, (random) => {
        const policies = policySet(random);
        if (!compiled(policies).admitted) return;
        const asked = call(random);
        const now = context(random);
        const more = strengthened(random, policies);
        if (decided(policies, [], asked, now).decision === 'deny') expect(decided(more, [], asked, now).decision).toBe('deny');
      });
    });

    it('[E1] effective permission = policy and restriction', () => {
      worlds(cases / 2, (random) => {
        const policies = policySet(random);
        const asked = call(random);
        const now = context(random);
        const restrictions = [restriction(random, 'rst-1'), restriction(random, 'rst-2')];
        const together = decided(policies, restrictions, asked, now).decision === 'allow';
        const apart = [[], ...restrictions.map((one) => [one])].every((some) => decided(policies, some, asked, now).decision === 'allow');
        expect(together).toBe(apart);
      });
    });

    it('[E1] the order of policies never matters', () => {
      worlds(cases / 4, (random) => {
        const policies = policySet(random);
        const asked = call(random);
        const now = context(random);
        expect(decided(random.shuffled(policies), [], asked, now)).toEqual(decided(policies, [], asked, now));
      });
    });

    it('[E2] without an admitting policy every call is denied', () => {
      worlds(cases / 8, (random) => {
        const guards = policySet(random).map((one) => ({ ...one, admits: false }));
        const decision = decided(guards, [], call(random), context(random));
        expect(decision.decision).toBe('deny');
      });
    });

    it('[E3][E5] a store that fails never makes evaluation throw, and never allows what counts', () => {
      worlds(cases / 8, (random) => {
        const policies = policySet(random);
        const asked = call(random);
        const now = context(random);
        const broken = decided(policies, [], asked, now, brokenCounters());
        const whole = decided(policies, [], asked, now);
        if (broken.decision === 'allow') expect(whole.decision).toBe('allow');
      });
    });

    it('observing never denies: a policy or rule in observe mode changes no allow into a deny, and enforcing no deny into an allow', () => {
      worlds(cases / 4, (random) => {
        const policies = policySet(random);
        const asked = call(random);
        const now = context(random);
        const observed = policies.map((one): Policy => (random.chance(0.5) ? { ...one, mode: 'observe' } : one));
        if (decided(policies, [], asked, now).decision === 'allow') expect(decided(observed, [], asked, now).decision).toBe('allow');
        const all = policies.map((one): Policy => ({ ...one, mode: 'observe', match: { ...one.match, upstream: [] }, admits: true }));
        if (compiled(all).admitted) expect(decided(all, [], asked, now).decision).toBe('allow');
      });
    });

    it('a call that is given back leaves the counts as they were', () => {
      worlds(cases / 8, (random) => {
        const enforcement = compiled(policySet(random));
        const asked = call(random);
        const now = context(random);
        const counters = memoryCounters();
        const before = decide({ enforcement, restrictions: [], call: asked, context: now, counters });
        before.settle('error');
        before.settle('error');
        const after = decide({ enforcement, restrictions: [], call: asked, context: now, counters });
        expect(after.decision).toEqual(before.decision);
      });
    });
  });
}

/** The same policies with something added. */
function strengthened(random: Random, policies: readonly Policy[]): readonly Policy[] {
  const [first, ...rest] = policies;
  if (first === undefined || random.chance(0.3)) return [...policies, policy(random, 'added.yaml')];
  const at = { line: 9999, column: 1 };
  if (random.chance(0.3)) return [{ ...first, hide: [...first.hide, { name: random.pick(['a', 'a*', '*']), at }] }, ...rest];
  const tools = first.tools.map((entry) => (random.chance(0.7) ? { ...entry, rules: [...entry.rules, rule(random, () => at, entry.pattern, 'added')] } : entry));
  return [{ ...first, tools }, ...rest];
}

function compiled(policies: readonly Policy[]): ReturnType<typeof compilePolicies> {
  return compilePolicies(policies, { server: SERVER, labels: LABELS }, UPSTREAM);
}

function decided(policies: readonly Policy[], restrictions: readonly Restriction[], asked: Call, now: CallContext, counters: CounterStore = memoryCounters()): Decision {
  return decide({ enforcement: compiled(policies), restrictions, call: asked, context: now, counters }).decision;
}

function brokenCounters(): CounterStore {
  const fail = (): never => {
    throw new Error('the store is gone');
  };
  return { read: fail, reserve: fail, release: fail };
}

/** Without the message, and with what was observed in an order of its own. */
function comparable({ decision, reason, rule: speaker, matched, observed }: Omit<Decision, 'message'>): unknown {
  return { decision, reason, rule: speaker, matched: matched.map(written), observed: observed.map(written).sort() };
}

function written({ by, source, rule: name, entry, at }: Decision['matched'][number]): string {
  return JSON.stringify([by, source, name, entry, at?.line ?? null, at?.column ?? null]);
}
