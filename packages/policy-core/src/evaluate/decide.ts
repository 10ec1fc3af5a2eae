/**
 * The one entry that the proxy uses: restrictions and all conditions of all policies first, then the reservation of
 * everything that the call counts, all or nothing (DESIGN: Counters). Never throws; an error denies (E3, E5).
 */
import type { Call, CallContext, Decision, Determinant, Outcome } from '../call.ts';
import type { CounterStore, Receipt, Reservation } from '../counter.ts';
import { add, compareDecimals, parseDecimal, ZERO } from '../decimal.ts';
import type { Restriction } from '../restriction.ts';
import { restrictionCauses } from '../restrict.ts';
import { internalError } from './enforcement.ts';
import type { Cause, Counted, Enforcement } from './evaluation.ts';
import { amountCause, errorCause, limitCause } from './policy.ts';
import { reservationOf } from './rule.ts';
import { argumentsOf } from './subject.ts';

export interface DecisionInput {
  readonly enforcement: Enforcement;
  /** Those whose selector selects the proxy, oldest first. */
  readonly restrictions: readonly Restriction[];
  readonly call: Call;
  readonly context: CallContext;
  readonly counters: CounterStore;
}

export interface Verdict {
  readonly decision: Decision;
  /** Says what the upstream made of an allowed call: an `error` gives back what was counted. Only the first word counts; never throws. */
  settle(outcome: Outcome): void;
}

/** Decides one call, and takes from the counters what an allowed call counts. */
export function decide(input: DecisionInput): Verdict {
  try {
    return judge(input);
  } catch {
    return settled(denial([internalError()], []));
  }
}

function judge({ enforcement, restrictions, call, context, counters }: DecisionInput): Verdict {
  const restricted = restrictions.length === 0 ? null : restrictionCauses(restrictions, call, enforcement);
  const { causes, observed, counted } = enforcement.evaluate(call, context, counters);
  if (restricted !== null) return settled(denial([...restricted, ...causes], observed));
  if (causes.length > 0) return settled(denial(causes, observed));
  if (counted.length === 0) return settled(allowance(enforcement, observed));
  return count(enforcement, call, context, counters, counted, observed);
}

/** What one rule would count. */
interface Claim {
  readonly counted: Counted;
  readonly reservation: Reservation;
}

/** A rule whose amount is missing, negative or inexact, which is an error of that rule. */
interface Unreadable {
  readonly counted: Counted;
  readonly reservation: null;
}

function count(enforcement: Enforcement, call: Call, context: CallContext, counters: CounterStore, counted: readonly Counted[], seen: readonly Determinant[]): Verdict {
  const claims = claimsOf(counted, call);
  const enforced = claims.filter((claim) => !claim.counted.observed);
  const watched = claims.filter((claim) => claim.counted.observed);
  const observed = [...seen, ...watched.filter((claim) => !isReadable(claim)).flatMap((claim) => errorOf(claim).determinant ?? [])];

  let receipt: Receipt | null = null;
  if (enforced.length > 0) {
    const outcome = reserve(enforced, counters, context.nowMs);
    if (!outcome.ok) return settled(denial(outcome.causes, observed));
    receipt = outcome.receipt;
  }
  const noted = observe(watched.filter(isReadable), counters, context.nowMs, observed);
  return { decision: allowance(enforcement, observed), settle: settling(counters, [receipt, noted].filter((taken) => taken !== null)) };
}

function claimsOf(counted: readonly Counted[], call: Call): readonly (Claim | Unreadable)[] {
  const args = argumentsOf(call);
  const claims: (Claim | Unreadable)[] = [];
  for (const one of counted) {
    const { counting } = one.rule;
    if (counting === null) continue;
    try {
      const reservation = reservationOf(counting, args, one.observed);
      if (reservation !== null) claims.push({ counted: one, reservation });
    } catch {
      claims.push({ counted: one, reservation: null });
    }
  }
  return claims;
}

function isReadable(claim: Claim | Unreadable): claim is Claim {
  return claim.reservation !== null;
}

/**
 * Takes everything or nothing. What is refused is told in the order of the rules (E4): limits that are reached and
 * amounts that cannot be counted stand side by side, as Intercept, which reserves one after the other, meets them.
 */
function reserve(claims: readonly (Claim | Unreadable)[], counters: CounterStore, nowMs: number): { ok: true; receipt: Receipt } | { ok: false; causes: readonly Cause[] } {
  try {
    const readable = claims.filter(isReadable);
    let failed: Claim | undefined;
    if (readable.length === claims.length) {
      const outcome = counters.reserve(readable.map(({ reservation }) => reservation), nowMs);
      if (outcome.ok) return outcome;
      failed = readable[outcome.failed];
    }
    // The store names at most the first that did not fit; the others are read, so that the decision names them all.
    const causes = claims.flatMap((claim) => {
      if (!isReadable(claim)) return [amountCause(claim.counted.policy, claim.counted.rule)];
      return claim === failed || exceeds(claim.reservation, claim.reservation.limit, counters, nowMs) ? [limitCause(claim.counted.policy, claim.counted.rule)] : [];
    });
    return { ok: false, causes };
  } catch {
    return { ok: false, causes: claims.map(errorOf) };
  }
}

function errorOf({ counted }: Claim | Unreadable): Cause {
  return errorCause(counted.policy, counted.rule);
}

/** Counts for rules that only observe, and notes which limits would have denied. A store that fails here denies nothing. */
function observe(claims: readonly Claim[], counters: CounterStore, nowMs: number, observed: Determinant[]): Receipt | null {
  if (claims.length === 0) return null;
  try {
    for (const { counted, reservation } of claims) {
      const limit = counted.rule.counting?.counter.limit ?? null;
      const { determinant } = limitCause(counted.policy, counted.rule);
      const known = observed.some((one) => one.source === determinant?.source && one.at === determinant.at && one.rule === determinant.rule);
      if (!known && determinant !== null && exceeds(reservation, limit, counters, nowMs)) observed.push(determinant);
    }
    const outcome = counters.reserve(claims.map(({ reservation }) => reservation), nowMs);
    return outcome.ok ? outcome.receipt : null;
  } catch {
    for (const claim of claims) {
      const { determinant } = errorOf(claim);
      if (determinant !== null) observed.push(determinant);
    }
    return null;
  }
}

function exceeds({ key, amount }: Reservation, limit: string | null, counters: CounterStore, nowMs: number): boolean {
  if (limit === null) return false;
  const value = parseDecimal(counters.read(key, nowMs));
  const bound = parseDecimal(limit);
  if (value === null || bound === null) return true;
  return compareDecimals(add(value, parseDecimal(amount) ?? ZERO), bound) > 0;
}

function settling(counters: CounterStore, receipts: readonly Receipt[]): Verdict['settle'] {
  let open = true;
  return (outcome) => {
    if (!open) return;
    open = false;
    if (outcome !== 'error') return;
    for (const receipt of receipts) {
      try {
        counters.release(receipt);
      } catch {
        // What cannot be given back stays counted: the safe side, and nothing a caller could do about it.
      }
    }
  };
}

function settled(decision: Decision): Verdict {
  return { decision, settle: nothing };
}

function nothing(): void {
  // A denied call counted nothing, and neither did one that no rule counts.
}

function denial(causes: readonly Cause[], observed: readonly Determinant[]): Decision {
  const [first = internalError()] = causes;
  return {
    decision: 'deny',
    reason: first.reason,
    message: first.message,
    rule: first.rule,
    matched: determinantsOf(causes),
    observed,
  };
}

/** A loop, because flatMap takes longer than all the rest of a denial. */
function determinantsOf(causes: readonly Cause[]): readonly Determinant[] {
  const determinants: Determinant[] = [];
  for (const { determinant } of causes) if (determinant !== null) determinants.push(determinant);
  return determinants;
}

function allowance({ allowedBy }: Enforcement, observed: readonly Determinant[]): Decision {
  return { decision: 'allow', reason: 'allowed', message: null, rule: null, matched: allowedBy, observed };
}
