/** One rule: its parts read, its shorthands expanded, what contradicts itself refused. */
import { ACTIONS, MODES } from '../schema/tables.ts';
import type { Condition, Counter, Mode, Position, Rule } from '../policy.ts';
import { pathsOf, readConditions } from './condition.ts';
import type { AskedPath, Regexes } from './condition.ts';
import type { Misspelt } from './conform.ts';
import { limitFrom, rateCounter, rateLimitMessage, readRateLimit, readSpendLimit, readState, scopeOf } from './counters.ts';
import type { RateLimit } from './counters.ts';
import type { Findings } from './findings.ts';
import { child, itemsOf, placeOf, textOf, valuePlaceOf, wordOf } from './nodes.ts';
import type { MapNode } from './nodes.ts';

/** What an agent is told is read by a model with a context to fill; a longer text is no message. */
const MAX_MESSAGE_LENGTH = 8192;

/** What a rule needs to know of its surroundings. */
export interface RuleContext {
  readonly findings: Findings;
  readonly misspelt: Misspelt;
  readonly policyMode: Mode;
  readonly regexes: Regexes;
  /** The entry's pattern. */
  readonly pattern: string;
  /** Names that `spend_limit` counters of the entry may no longer take. */
  readonly takenNames: Set<string>;
}

export interface ReadRule {
  /** The name of the counter that the rule declares, whatever else is wrong with it. */
  readonly declares: string | null;
  /** Where the counter is declared. */
  readonly counterAt: number;
  /** What its conditions ask for, whatever else is wrong with the rule, for the check of references. */
  readonly asks: readonly AskedPath[];
  /** Null where the rule is too broken to be one; the reasons have been reported. */
  readonly rule: Rule | null;
}

/** Reads a rule. Everything wrong with it is reported. */
export function readRule(node: MapNode, context: RuleContext): ReadRule {
  const { findings } = context;
  const rateText = textOf(node, 'rate_limit');
  const conflicts = reportConflicts(node, rateText !== null, findings);
  const rate = rateText === null ? null : readRateLimit(rateText, valuePlaceOf(node, 'rate_limit'), findings);
  const when = readConditions(node, 'when', context.regexes, findings);
  const written = readConditions(node, 'conditions', context.regexes, findings);
  const counter = readCounter(node, rateText === null ? null : { limit: rate, usable: !conflicts }, context);
  const conditions = rate !== null && !conflicts ? rateConditions(rate, context.pattern, findings.at(placeOf(node, 'rate_limit'))) : written;
  if (rateText === null) reportEmptiness(node, context);
  const message = readMessage(node, findings);
  const name = textOf(node, 'name');
  const own = `state.${scopeOf(context.pattern)}.${counter?.name ?? ''}`;
  const rule: Rule | null =
    name === null
      ? null
      : {
          name,
          at: findings.at(node.offset),
          action: wordOf(node, 'action', ACTIONS) ?? 'evaluate',
          mode: context.policyMode === 'observe' ? 'observe' : (wordOf(node, 'mode', MODES) ?? 'enforce'),
          when,
          conditions,
          counter: counter?.from === 'state' ? { ...counter, limit: limitFrom(conditions, own) } : counter,
          onDeny: message ?? (rate === null ? null : rateLimitMessage(rate)),
        };
  return { declares: declaredName(node, counter), counterAt: counterPlace(node), asks: [...pathsOf(node, 'when', findings), ...(conditions === written ? pathsOf(node, 'conditions', findings) : conditions)], rule };
}

/** A rate limit goes with nothing that Intercept refuses beside it; a rule has one counter. Returns whether it is unusable. */
function reportConflicts(node: MapNode, hasRate: boolean, findings: Findings): boolean {
  const deny = textOf(node, 'action') === 'deny';
  const conditions = itemsOf(node, 'conditions').length > 0;
  const state = child(node, 'state') !== null;
  const spend = child(node, 'spend_limit') !== null;
  const conflict = (key: string, message: string): void => findings.error('RULE_CONFLICT', placeOf(node, key), message);
  if (hasRate && (conditions || state)) conflict('rate_limit', 'rate_limit cannot be combined with conditions or state: make them separate rules, or use `when` to say which calls it counts');
  if (hasRate && deny) conflict('rate_limit', 'rate_limit cannot be used with `action: deny`: remove one of them');
  if (spend && hasRate) conflict('spend_limit', 'spend_limit cannot be combined with rate_limit: make them separate rules');
  if (spend && state) conflict('spend_limit', 'spend_limit cannot be combined with state: make them separate rules');
  if (spend && deny) conflict('spend_limit', 'spend_limit cannot be used with `action: deny`: remove one of them');
  if (deny && conditions && !hasRate) conflict('conditions', 'a deny rule must not have conditions: use `when` to say which calls it denies');
  return hasRate && (conditions || state || deny);
}

function reportEmptiness(node: MapNode, { findings, misspelt }: RuleContext): void {
  const meant = misspelt.get(node);
  const says = (key: string): boolean => meant?.has(key) === true || child(node, key) !== null;
  const action = textOf(node, 'action');
  if ((action !== null && action !== 'evaluate') || says('spend_limit') || meant?.has('rate_limit') === true || meant?.has('action') === true) return;
  const conditions = child(node, 'conditions');
  const empty = conditions === null ? meant?.has('conditions') !== true : conditions.kind === 'list' && itemsOf(node, 'conditions').length === 0;
  if (!empty) return;
  const advice = child(node, 'when') === null ? '' : ' (`when` only says which calls a rule applies to)';
  findings.error('RULE_EMPTY', node.offset, `the rule checks nothing${advice}: give it \`conditions\`, a \`rate_limit\`, a \`spend_limit\`, or \`action: deny\``);
}

/** `rate` is null where the rule has no rate_limit. */
function readCounter(node: MapNode, rate: { readonly limit: RateLimit | null; readonly usable: boolean } | null, context: RuleContext): Counter | null {
  const state = child(node, 'state');
  const spend = child(node, 'spend_limit');
  const stateCounter = state?.kind === 'map' ? readState(state, context.findings) : null;
  const spendCounter = spend?.kind === 'map' ? readSpendLimit(spend, context.findings) : null;
  if (rate !== null && rate.usable) return rate.limit === null ? null : rateCounter(rate.limit);
  return stateCounter ?? (spendCounter === null ? null : { ...spendCounter, name: freeName(spendCounter.name, context.takenNames) });
}

/** `_spend_day`, then `_spend_day_2` and so on: rules of one entry never share a sum unasked. */
function freeName(name: string, taken: Set<string>): string {
  let free = name;
  for (let n = 2; taken.has(free); n++) free = `${name}_${n}`;
  taken.add(free);
  return free;
}

/**
 * The condition that Intercept adds to a rate limit. Its path could not be read back where the entry holds a dot, and
 * is not needed there: the reservation alone refuses the same calls.
 */
function rateConditions(rate: RateLimit, pattern: string, at: Position): readonly Condition[] {
  if (pattern.includes('.')) return [];
  return [{ path: `state.${scopeOf(pattern)}._rate_${rate.window}`, op: 'lte', value: { kind: 'int', value: rate.count }, at }];
}

function readMessage(node: MapNode, findings: Findings): string | null {
  const message = textOf(node, 'on_deny');
  if (message !== null && message.length > MAX_MESSAGE_LENGTH) {
    findings.error('VALUE', placeOf(node, 'on_deny'), `on_deny has ${message.length} characters and may have ${MAX_MESSAGE_LENGTH}`);
  }
  return message;
}

function declaredName(node: MapNode, counter: Counter | null): string | null {
  const state = child(node, 'state');
  return state?.kind === 'map' ? textOf(state, 'counter') : (counter?.name ?? null);
}

function counterPlace(node: MapNode): number {
  return placeOf(node, ['rate_limit', 'spend_limit', 'state'].find((key) => child(node, key) !== null) ?? 'name');
}
