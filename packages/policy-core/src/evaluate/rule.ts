/** One rule, compiled: whether it applies to a call, whether it denies it, and what it would count. */
import type { CallContext } from '../call.ts';
import type { CounterKey, CounterStore, Reservation } from '../counter.ts';
import type { Decimal } from '../decimal.ts';
import { compareDecimals, decimalOf, formatDecimal, parseDecimal, ZERO } from '../decimal.ts';
import type { JsonObject } from '../json.ts';
import type { Condition, Counter, Entry, Rule } from '../policy.ts';
import { compileCountOperator } from './count-operators.ts';
import { FAILS, HOLDS, UNFIT } from './judged.ts';
import type { Judged } from './judged.ts';
import { compileOperator } from './operators.ts';
import { compileArgument, compilePath } from './paths.ts';
import type { FindCounter } from './paths.ts';

/** What a rule says of a call. */
export const PASSES = 0;
export const DENIES = 1;
/** Its `when` does not hold: it neither denies nor counts. */
export const STEPS_ASIDE = 2;
export type RuleJudgement = typeof PASSES | typeof DENIES | typeof STEPS_ASIDE;

/** Plain data rather than functions over it: thousands of rules are read where there is room for few in the processor's caches. */
export interface CompiledRule {
  readonly rule: Rule;
  readonly entry: Entry;
  /** The rule or its policy only observes. */
  readonly observed: boolean;
  readonly denies: boolean;
  readonly when: readonly Test[];
  readonly conditions: readonly Test[];
  /** What the rule counts, or null. */
  readonly counting: Counting | null;
}

export interface Counting {
  readonly counter: Counter;
  /** Null where the counter has no limit of its own: Intercept then never counts, and neither do we. */
  readonly key: CounterKey | null;
  /** What this call would add; throws where the amount is missing, no number, negative or inexact. */
  amount(argumentsOfCall: JsonObject): string;
}

/** One compiled condition. */
export type Test = (argumentsOfCall: JsonObject, context: CallContext, counters: CounterStore) => Judged;

/**
 * Compiled conditions by what they say. Hundreds of tools share a few dozen conditions, and what is shared stays in the
 * processor's caches. It lives as long as one Enforcement and holds at most its conditions.
 */
export type SharedTests = Map<string, Test>;

/** What a policy gives to the compiling of its rules. */
export interface RuleSurroundings {
  readonly entry: Entry;
  /** The policy only observes. */
  readonly observes: boolean;
  readonly findCounter: FindCounter;
  readonly keyOf: (counter: Counter) => CounterKey;
  readonly shared: SharedTests;
}

/** Compiles a rule. One that cannot be compiled throws whenever it is judged, so that a call it covers is denied. */
export function compileRule(rule: Rule, { entry, observes, findCounter, keyOf, shared }: RuleSurroundings): CompiledRule {
  const denies = rule.action === 'deny';
  const head = { rule, entry, observed: observes || rule.mode === 'observe', denies };
  try {
    const when = rule.when.map((condition) => sharedCondition(condition, findCounter, shared));
    const conditions = rule.conditions.map((condition) => sharedCondition(condition, findCounter, shared));
    return { ...head, when, conditions, counting: rule.counter === null || denies ? null : compileCounting(rule.counter, keyOf) };
  } catch (error) {
    const reason: unknown = error;
    const fail: Test = () => {
      throw reason;
    };
    return { ...head, when: [fail], conditions: [], counting: null };
  }
}

/** Judges a call by one rule. Throws where the rule cannot be evaluated; the caller denies (E3). */
export function judgeByRule(compiled: CompiledRule, argumentsOfCall: JsonObject, context: CallContext, counters: CounterStore): RuleJudgement {
  for (const test of compiled.when) {
    const judgement = test(argumentsOfCall, context, counters);
    if (judgement === UNFIT) return DENIES;
    if (judgement === FAILS) return STEPS_ASIDE;
  }
  if (compiled.denies) return DENIES;
  for (const test of compiled.conditions) {
    if (test(argumentsOfCall, context, counters) !== HOLDS) return DENIES;
  }
  return PASSES;
}

function sharedCondition(condition: Condition, findCounter: FindCounter, shared: SharedTests): Test {
  // What a counter's path reads depends on the rule, so that nothing can be shared.
  if (condition.path.startsWith('state.')) return compileCondition(condition, findCounter);
  const said = JSON.stringify([condition.path, condition.op, condition.value]);
  const known = shared.get(said);
  if (known !== undefined) return known;
  const test = compileCondition(condition, findCounter);
  shared.set(said, test);
  return test;
}

function compileCondition(condition: Condition, findCounter: FindCounter): Test {
  const source = compilePath(condition.path, findCounter);
  switch (source.kind) {
    case 'argument': {
      const { read } = source;
      const judge = compileOperator(condition.op, condition.value);
      return (argumentsOfCall) => judge(read(argumentsOfCall));
    }
    case 'context': {
      const { read } = source;
      const judge = compileOperator(condition.op, condition.value);
      return (_arguments, context) => judge(read(context));
    }
    case 'count': {
      const judge = compileCountOperator(condition.op, condition.value);
      const { key } = source;
      if (key === null) return () => judge(ZERO);
      return (_arguments, context, counters) => judge(asDecimal(counters.read(key, context.nowMs), 'the counter'));
    }
  }
}

function asDecimal(text: string, what: string): Decimal {
  const decimal = parseDecimal(text);
  if (decimal === null) throw new Error(`${what} holds ${JSON.stringify(text.slice(0, 40))}, which is no decimal number`);
  return decimal;
}

function compileCounting(counter: Counter, keyOf: (counter: Counter) => CounterKey): Counting {
  const key = counter.limit === null ? null : keyOf(counter);
  const { amount } = counter;
  if (amount.kind === 'fixed') {
    const fixed = amountText(asDecimal(amount.value, 'increment'));
    return { counter, key, amount: () => fixed };
  }
  const read = compileArgument(amount.path);
  return {
    counter,
    key,
    amount: (argumentsOfCall) => {
      const value = read(argumentsOfCall);
      const decimal = typeof value === 'number' ? decimalOf(value) : null;
      if (decimal === null) throw new Error(`${amount.path} is no finite number that can be counted exactly`);
      return amountText(decimal);
    },
  };
}

/** A negative amount would buy budget back. */
function amountText(amount: Decimal): string {
  if (compareDecimals(amount, ZERO) < 0) throw new Error('an amount to count is negative');
  return formatDecimal(amount);
}

/** The reservation that a rule's counting asks for; null where nothing is to be kept. Throws as `amount` does. */
export function reservationOf(counting: Counting, argumentsOfCall: JsonObject, observed: boolean): Reservation | null {
  const amount = counting.amount(argumentsOfCall);
  if (counting.key === null) return null;
  return { key: counting.key, amount, limit: observed ? null : counting.counter.limit };
}
