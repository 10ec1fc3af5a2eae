/**
 * Where Portcullis differs from Intercept on purpose, case by case, with the reason. Each runner checks that what is
 * listed really differs and that nothing else does. docs/compatibility.md tells the same to users: `row` is the first cell
 * of the row of its tables (intercept-documented.test.ts holds them against each other).
 */

/** How one step of a case of evaluate.json is decided here. */
export interface Deviation {
  readonly decision: 'allow' | 'deny';
  readonly reason: string;
}

export interface EvaluateDivergence {
  readonly why: string;
  readonly row: string;
  /** Step (from 0) to what is decided instead. `unloadable`: the text is refused already. */
  readonly steps: ReadonlyMap<number, Deviation> | 'unloadable';
}

const ERROR: Deviation = { decision: 'deny', reason: 'error' };
const LIMIT: Deviation = { decision: 'deny', reason: 'limit' };
const ALLOWED: Deviation = { decision: 'allow', reason: 'allowed' };

const INEXACT = 'A number that a double cannot hold is not compared: the upstream may read another value than the rule. An error, so deny.';
const NEGATIVE = 'A negative amount would buy budget back; it is refused.';

const INEXACT_ROW = 'a number that a double cannot hold (2^53 + 1)';
const NEGATIVE_AMOUNT_ROW = '`state` with a negative amount from an argument †';
const NEGATIVE_ROW = 'a negative `increment` (also -0.5, which is cut to 0 there and counts as 1), and one of 2^63 or more';
const STORE_ROW = 'the counter store cannot be used';
const ACTION_ROW = 'an `action` that does not exist, beside a `rate_limit`';
const UNKNOWN_ROW = 'an unknown key, anywhere';
const SHARED_ROW = 'two entries whose counters are read by one path: `b.c` of `a` and `c` of `a.b`, or `c` of `*` and of a tool named `_global`';
const DOCUMENTS_ROW = 'a second document after `---` or `...`, or any text behind the first';
const OPERATORS_ROW = '`not_contains`, `starts_with`, `ends_with`, `glob`, `path_within`, `host_in`, `max_length`, `type`';

/** Deciding (evaluate.json). All are stricter, or marked divergeOk in the vectors. */
export const EVALUATE_DIVERGENCES: ReadonlyMap<string, EvaluateDivergence> = new Map<string, EvaluateDivergence>([
  ['eq-uint64', { why: INEXACT, row: INEXACT_ROW, steps: new Map([[1, ERROR]]) }],
  ['eq-2pow53-plus-1', { why: INEXACT, row: INEXACT_ROW, steps: new Map([[1, ERROR]]) }],
  ['lte-2pow53', { why: INEXACT, row: INEXACT_ROW, steps: new Map([[1, ERROR]]) }],
  ['lte-float-beyond-uint64', { why: INEXACT, row: INEXACT_ROW, steps: new Map([[0, ERROR]]) }],
  ['hide-no-glob', { why: 'Names under hide are globs, so `delete_*` hides what it matches.', row: '`*` and `?` in a key of `tools` or in `hide`', steps: new Map([[0, { decision: 'deny', reason: 'hidden' }]]) }],
  [
    'rate-clock-backwards',
    { why: 'The later window is kept when the clock steps back, so that a step never frees budget (divergeOk).', row: 'the clock steps back', steps: new Map([[1, LIMIT], [3, LIMIT]]) },
  ],
  [
    'rate-name-_global-tool-shares-key',
    { why: 'Two entries may not share a counter: nobody can say which of them a path means.', row: SHARED_ROW, steps: 'unloadable' },
  ],
  ['increment_from-negative', { why: `${NEGATIVE} (divergeOk)`, row: NEGATIVE_AMOUNT_ROW, steps: new Map([[0, ERROR], [1, LIMIT], [2, ALLOWED]]) }],
  ['increment_from-2pow63-overflow', { why: 'Amounts are counted exactly at any size and do not overflow (divergeOk).', row: 'amounts beyond 2^63', steps: new Map([[0, LIMIT], [1, LIMIT], [2, LIMIT]]) }],
  ['state-two-counters-second-fails-rolls-back', { why: NEGATIVE, row: NEGATIVE_AMOUNT_ROW, steps: new Map([[4, ERROR]]) }],
  ['backend-down-closed', { why: 'A store that fails is an error and is called one; Intercept tells the agent that a limit was reached. Both deny.', row: STORE_ROW, steps: new Map([[0, ERROR]]) }],
  ['backend-down-open', { why: 'There is no fail-open mode.', row: STORE_ROW, steps: new Map([[0, ERROR], [1, ERROR], [2, ERROR]]) }],
  ['backend-down-closed-exists-false-passes', { why: 'A counter that cannot be read is an error, not an absent value.', row: STORE_ROW, steps: new Map([[1, ERROR]]) }],
  ['counter-increment-negative', { why: `${NEGATIVE} (divergeOk)`, row: NEGATIVE_ROW, steps: 'unloadable' }],
  ['null-tool-key-dropped', { why: 'A key that is missing is an error of the author, not a reason to drop an entry.', row: 'a key that is null (`~: value`)', steps: 'unloadable' }],
  ['rate-bogus-action-overwritten', { why: 'An action that does not exist is refused beside a rate_limit too.', row: ACTION_ROW, steps: 'unloadable' }],
  ['unknown-keys-ignored', { why: 'Unknown keys are errors: a misspelt rule must not be dropped in silence.', row: UNKNOWN_ROW, steps: 'unloadable' }],
  ['second-document-ignored', { why: 'A second document is refused rather than ignored.', row: DOCUMENTS_ROW, steps: 'unloadable' }],
]);

export interface ValidateDivergence {
  readonly why: string;
  /** Null where both refuse the text, each with reasons of its own. */
  readonly row: string | null;
  /**
   * `refused`: Intercept loads it and we do not. Else both refuse it, and we report these codes besides Intercept's
   * (which stops looking at a rule whose rate_limit is wrong), or instead of one of them.
   */
  readonly differs: 'refused' | { readonly besides: readonly string[] } | { readonly instead: readonly string[] };
}

const UNKNOWN_KEYS = 'Unknown keys are errors, so that a misspelt one is not dropped in silence. Keys that begin with `x-` are the author\'s own.';
const ALL_FAULTS = 'All faults of a rule are reported, also beside a wrong rate_limit.';

/** Loading (validate.json). All are stricter. */
export const VALIDATE_DIVERGENCES: ReadonlyMap<string, ValidateDivergence> = new Map<string, ValidateDivergence>([
  ['unknown-nested-keys-ok', { why: UNKNOWN_KEYS, row: UNKNOWN_ROW, differs: 'refused' }],
  ['misspelt-on_deny-ok', { why: UNKNOWN_KEYS, row: UNKNOWN_ROW, differs: 'refused' }],
  ['yaml-anchors-ok', { why: `${UNKNOWN_KEYS} Anchors are kept under such a key.`, row: UNKNOWN_ROW, differs: 'refused' }],
  ['yaml-duplicate-inside-ignored-value-ok', { why: 'A key that stands twice in one mapping is an error everywhere.', row: 'the same key twice in one mapping, also under an `x-` key', differs: 'refused' }],
  ['yaml-multi-document-ok', { why: 'A second document is refused rather than ignored.', row: DOCUMENTS_ROW, differs: 'refused' }],
  ['rate_limit-hides-bad-action-ok', { why: 'An action that does not exist is refused beside a rate_limit too.', row: ACTION_ROW, differs: 'refused' }],
  ['state-star-scope-ok', { why: 'The entry `*` is spelled `_global` in paths; this one would read 0 for every tool that is not named `*`.', row: 'a path `state.*.c`', differs: 'refused' }],
  ['state-increment-negative', { why: `${NEGATIVE} Intercept accepts it, and the limit is never reached.`, row: NEGATIVE_ROW, differs: 'refused' }],
  ['misspelt-conditions', { why: 'The misspelt key is reported, and not that the rule is therefore empty.', row: null, differs: { instead: ['UNKNOWN_KEY'] } }],
  ['misspelt-op-key', { why: 'The misspelt key is reported, and not that the operator is therefore missing.', row: null, differs: { instead: ['UNKNOWN_KEY'] } }],
  ['spend_limit-unknown-key', { why: '`spend_limit` is a key here, a mapping with `amount`, `max` and `per`.', row: null, differs: { instead: ['TYPE'] } }],
  ['op-unknown-not_contains', { why: '`not_contains` is an operator here, and needs a text.', row: OPERATORS_ROW, differs: { instead: ['VALUE'] } }],
  ['op-unknown-starts_with', { why: '`starts_with` is an operator here, and needs a text.', row: OPERATORS_ROW, differs: { instead: ['VALUE'] } }],
  ['rate_limit-bad-spaces', { why: ALL_FAULTS, row: null, differs: { besides: ['RATE_LIMIT'] } }],
  ['rate_limit-bad-does-not-report-action', { why: ALL_FAULTS, row: null, differs: { besides: ['RULE_ACTION'] } }],
  ['rate_limit-with-empty-state-map', { why: ALL_FAULTS, row: null, differs: { besides: ['COUNTER', 'WINDOW'] } }],
  ['rate_limit-bad-skips-name-check', { why: ALL_FAULTS, row: null, differs: { besides: ['RULE_NAME'] } }],
  ['rate_limit-three-errors', { why: ALL_FAULTS, row: null, differs: { besides: ['PATH', 'OPERATOR'] } }],
]);
