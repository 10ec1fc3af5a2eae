/**
 * What a rule counts: `rate_limit` and `spend_limit` are short for a counter, `state` is the long form. How a limit is
 * found in the conditions of the long form follows Intercept, section 10 of its semantics.
 */
import { WINDOWS } from '../policy.ts';
import type { Condition, Counter, PolicyValue, Window } from '../policy.ts';
import { quote } from '../problem.ts';
import { nearest } from '../suggestion.ts';
import type { Findings } from './findings.ts';
import { child, placeOf, textOf, valueOf, valuePlaceOf, wordOf } from './nodes.ts';
import type { MapNode } from './nodes.ts';

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** Digits before and after the point of a spend limit: far beyond any currency, and cheap to add up. */
const MAX_AMOUNT_DIGITS = 30;

export interface RateLimit {
  readonly count: string;
  readonly window: Window;
}

/** How `state` paths spell the entry `*`. */
export function scopeOf(pattern: string): string {
  return pattern === '*' ? '_global' : pattern;
}

/** `N/window`: N a decimal int64 above zero. Reports and returns null where it is not. */
export function readRateLimit(text: string, offset: number, findings: Findings): RateLimit | null {
  const slash = text.indexOf('/');
  if (slash === -1) {
    findings.error('RATE_LIMIT', offset, `rate_limit must have the format \`N/window\`, for example \`5/hour\`, not ${quote(text)}`);
    return null;
  }
  const [countText, windowText] = [text.slice(0, slash), text.slice(slash + 1)];
  const window = WINDOWS.find((known) => known === windowText) ?? null;
  const count = /^[-+]?\d{1,40}$/.test(countText) ? BigInt(countText.replace(/^\+/, '')) : null;
  const counts = count !== null && count > 0n && count <= INT64_MAX;
  if (!counts) findings.error('RATE_LIMIT', offset, `the count of a rate_limit must be a whole number above zero, not ${quote(countText)}`);
  if (window === null) {
    const meant = nearest(windowText, WINDOWS);
    findings.error('RATE_LIMIT', offset, `the window of a rate_limit must be \`minute\`, \`hour\` or \`day\`, not ${quote(windowText)}${meant === null ? '' : `, did you mean \`${meant}\`?`}`);
  }
  return counts && window !== null ? { count: count.toString(), window } : null;
}

/** The counter of a rate limit. Intercept reads its bound through a double, as `limitFrom` does. */
export function rateCounter(limit: RateLimit): Counter {
  return { name: `_rate_${limit.window}`, window: limit.window, amount: { kind: 'fixed', value: '1' }, limit: inclusiveBound(Number(limit.count)), from: 'rate_limit' };
}

/** What an agent is told by a rate limit whose author says nothing. */
export function rateLimitMessage({ count, window }: RateLimit): string {
  return `Rate limit of ${count} per ${window} reached. Try again later.`;
}

/** Reads a `spend_limit`. The name is made the entry's own by the caller. */
export function readSpendLimit(node: MapNode, findings: Findings): Counter | null {
  const path = readAmountPath(node, 'amount', 'SPEND_LIMIT', findings);
  const window = wordOf(node, 'per', WINDOWS);
  const maximum = child(node, 'max');
  const limit = maximum?.kind === 'scalar' ? plainDecimal(maximum.text, valueOf(maximum)) : null;
  if (maximum?.kind === 'scalar' && limit === null && ['int', 'uint', 'float'].includes(valueOf(maximum).kind)) {
    findings.error('SPEND_LIMIT', maximum.offset, `max must be a number above zero with at most ${MAX_AMOUNT_DIGITS} digits before and after the point, not ${quote(maximum.text)}; to forbid the call, use \`action: deny\``);
  }
  if (path === null || window === null || limit === null) return null;
  return { name: `_spend_${window}`, window, amount: { kind: 'argument', path }, limit, from: 'spend_limit' };
}

/** Reads a `state` block. `limit` is left open: it depends on the rule's conditions. */
export function readState(node: MapNode, findings: Findings): Counter | null {
  const name = textOf(node, 'counter');
  const window = wordOf(node, 'window', WINDOWS);
  const fromArgument = textOf(node, 'increment_from') === null ? null : readAmountPath(node, 'increment_from', 'COUNTER', findings);
  const increment = readIncrement(node, findings);
  if (fromArgument !== null && child(node, 'increment') !== null) {
    findings.warn('COUNTER', placeOf(node, 'increment'), 'increment has no effect beside increment_from: remove one of them');
  }
  if (name === null || window === null || increment === null) return null;
  const amount: Counter['amount'] = fromArgument === null ? { kind: 'fixed', value: increment } : { kind: 'argument', path: fromArgument };
  return { name, window, amount, limit: null, from: 'state' };
}

/**
 * The inclusive bound: from the rule's first condition on exactly its own counter with lte or lt. Read through a double, and cut
 * towards zero to a whole number.
 */
export function limitFrom(conditions: readonly Condition[], ownPath: string): string | null {
  const bound = conditions.find((condition) => condition.path === ownPath && (condition.op === 'lte' || condition.op === 'lt'));
  if (bound === undefined) return null;
  return inclusiveBound(bound.value.kind === 'int' || bound.value.kind === 'float' ? Number(bound.value.value) : NaN, bound.op === 'lte' ? 0n : 1n);
}

/** What Go cannot convert to an int64 (2^63 and more, infinities, NaN) bounds at the smallest number: nothing passes. */
function inclusiveBound(number: number, less = 0n): string {
  const whole = truncated(number);
  return (whole === null ? INT64_MIN : whole - less).toString();
}

/** Null where an int64 cannot hold it. */
function truncated(number: number): bigint | null {
  if (!Number.isFinite(number)) return null;
  const whole = BigInt(Math.trunc(number));
  return whole >= INT64_MIN && whole <= INT64_MAX ? whole : null;
}

function readAmountPath(node: MapNode, key: string, code: 'COUNTER' | 'SPEND_LIMIT', findings: Findings): string | null {
  const path = textOf(node, key);
  if (path === null || path.startsWith('args.')) return path;
  findings.error(code, valuePlaceOf(node, key), `${key} must name an argument and start with \`args.\`, not ${quote(path)}`);
  return null;
}

/** Unlike bounds, exact. Intercept cuts a fraction off and reads 0 as 1; it also takes negative numbers, which would raise the limit. */
function readIncrement(node: MapNode, findings: Findings): string | null {
  const written = child(node, 'increment');
  if (written?.kind !== 'scalar') return '1';
  const value = valueOf(written);
  const whole = value.kind === 'int' ? BigInt(value.value) : value.kind === 'float' ? truncated(Number(value.value)) : null;
  if (whole === null || whole < 0n || (value.kind === 'float' && Number(value.value) < 0)) {
    if (value.kind === 'int' || value.kind === 'float' || value.kind === 'uint') {
      findings.error('COUNTER', written.offset, `increment must be a whole number above zero and below 9223372036854775808, not ${quote(written.text)}`);
    }
    return null;
  }
  const counted = whole === 0n ? '1' : whole.toString();
  if (value.kind === 'float' || whole === 0n) findings.warn('COUNTER', written.offset, `increment counts whole numbers above zero: ${quote(written.text)} counts as ${counted}`);
  return counted;
}

/** A number as it is written, without exponent: money is not rounded through a double. Null = not positive, or too long. */
function plainDecimal(text: string, value: PolicyValue): string | null {
  if (value.kind === 'int' || value.kind === 'uint') {
    return value.value.startsWith('-') || value.value === '0' || value.value.length > MAX_AMOUNT_DIGITS ? null : value.value;
  }
  const match = /^\+?(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,3}))?$/.exec(text.replaceAll('_', ''));
  if (value.kind !== 'float' || match === null) return null;
  const [, whole = '', fraction = '', exponent = '0'] = match;
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  const before = digits.slice(0, Math.max(0, point)).padEnd(Math.max(0, point), '0').replace(/^0+(?=\d)/, '') || '0';
  const after = ('0'.repeat(Math.max(0, -point)) + digits.slice(Math.max(0, point))).replace(/0+$/, '');
  if (before.length > MAX_AMOUNT_DIGITS || after.length > MAX_AMOUNT_DIGITS || /^0*$/.test(before + after)) return null;
  return after === '' ? before : `${before}.${after}`;
}
