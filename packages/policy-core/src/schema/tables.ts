/** The keys of a policy file, from the outside in (DESIGN section 4). */
import { OPERATORS, WINDOWS } from '../policy.ts';
import type { KeyTable, Shape, WordShape } from './shape.ts';

const TEXT: Shape = { kind: 'text' };
const TEXTS: Shape = { kind: 'texts' };
const TEXT_LIST: Shape = { kind: 'list', of: TEXT };

export const MODES = ['enforce', 'observe'] as const;
export const EFFECTS = ['allow', 'deny'] as const;
export const ACTIONS = ['evaluate', 'deny'] as const;
export const OUTCOMES = ['ok', 'error', 'tool_error', 'none'] as const;

const MODE: WordShape = { kind: 'word', words: MODES, code: 'MODE', mistaken: { enforced: 'enforce', 'dry-run': 'observe', audit: 'observe', monitor: 'observe', shadow: 'observe', warn: 'observe' } };

const EFFECT_SYNONYMS = { permit: 'allow', accept: 'allow', block: 'deny', refuse: 'deny', reject: 'deny', forbid: 'deny' };

const WINDOW: WordShape = {
  kind: 'word',
  words: WINDOWS,
  code: 'WINDOW',
  mistaken: { m: 'minute', min: 'minute', minutes: 'minute', second: 'minute', h: 'hour', hours: 'hour', hourly: 'hour', d: 'day', days: 'day', daily: 'day', week: 'day' },
};

const OPERATOR: WordShape = {
  kind: 'word',
  words: OPERATORS,
  code: 'OPERATOR',
  mistaken: {
    '==': 'eq', '=': 'eq', equals: 'eq', is: 'eq', '!=': 'neq', '<>': 'neq', ne: 'neq', not_eq: 'neq', not_equals: 'neq',
    '<': 'lt', '<=': 'lte', le: 'lte', '>': 'gt', '>=': 'gte', ge: 'gte', matches: 'regex', match: 'regex', '=~': 'regex',
    one_of: 'in', any_of: 'in', none_of: 'not_in', nin: 'not_in', includes: 'contains', has: 'contains', prefix: 'starts_with', suffix: 'ends_with',
    present: 'exists', not_exists: 'exists', like: 'glob', under: 'path_within', within: 'path_within', domain_in: 'host_in', length: 'max_length', is_type: 'type',
  },
};

const CONDITION: KeyTable = {
  what: 'a condition',
  keys: {
    path: {
      shape: TEXT,
      doc: 'What is looked at: args.…, state.<entry>.<counter>, proxy.server, proxy.labels.<name>, client.name, time.hour or time.weekday.',
      required: { code: 'PATH', say: 'a condition needs a `path`, for example `args.owner`' },
      mistaken: ['field', 'arg', 'argument', 'key', 'attribute', 'name'],
    },
    op: {
      shape: OPERATOR,
      doc: 'How it is compared with the value. An absent argument satisfies no operator but exists.',
      required: { code: 'OPERATOR', say: 'a condition needs an operator, for example `op: eq`' },
      mistaken: ['operator', 'operation', 'compare', 'comparison'],
    },
    value: { shape: { kind: 'value' }, doc: 'What it is compared with.', mistaken: ['values', 'val', 'pattern', 'equals'] },
  },
};
const CONDITIONS: Shape = { kind: 'list', of: { kind: 'keys', table: CONDITION } };

const STATE: KeyTable = {
  what: 'a state block',
  keys: {
    counter: { shape: TEXT, doc: 'The name of the counter, which conditions read as state.<entry>.<counter>.', required: { code: 'COUNTER', say: 'a state block needs a `counter`: the name that conditions read as `state.<entry>.<counter>`' }, mistaken: ['name', 'key'] },
    window: { shape: WINDOW, doc: 'When the count starts again: each calendar minute, hour or day, UTC.', required: { code: 'WINDOW', say: 'a state block needs a `window`: `minute`, `hour` or `day`' }, mistaken: ['per', 'period', 'interval'] },
    increment: { shape: { kind: 'number' }, doc: 'How much one call counts; 1 where it is left out.', mistaken: ['amount', 'by', 'step'] },
    increment_from: { shape: TEXT, doc: 'The argument whose value one call counts (args.…); it wins over increment.', mistaken: ['amount_from', 'increment_by'] },
  },
};

const SPEND_LIMIT: KeyTable = {
  what: 'a spend limit',
  keys: {
    amount: { shape: TEXT, doc: 'The argument that is summed up (args.…).', required: { code: 'SPEND_LIMIT', say: 'a spend limit needs an `amount`: the argument to sum up, for example `args.amount`' }, mistaken: ['increment_from', 'field', 'path', 'of'] },
    max: { shape: { kind: 'number' }, doc: 'The largest sum of one window, inclusive. Exact: 0.1 is a tenth.', required: { code: 'SPEND_LIMIT', say: 'a spend limit needs a `max`: the largest sum of one window' }, mistaken: ['limit', 'maximum', 'budget'] },
    per: { shape: WINDOW, doc: 'The calendar window of the sum, UTC.', required: { code: 'SPEND_LIMIT', say: 'a spend limit needs a `per`: `minute`, `hour` or `day`' }, mistaken: ['window', 'period', 'interval'] },
  },
};

const RULE: KeyTable = {
  what: 'a rule',
  keys: {
    name: { shape: TEXT, doc: 'What decisions and the log call the rule.', required: { code: 'RULE_NAME', say: 'a rule needs a `name`: decisions and the log show it' }, mistaken: ['id', 'title', 'rule'] },
    action: {
      shape: { kind: 'word', words: ACTIONS, code: 'RULE_ACTION', mistaken: { ...EFFECT_SYNONYMS, block: 'deny', allow: 'evaluate', check: 'evaluate' } },
      doc: 'evaluate (the default): the conditions must hold. deny: every call that the rule applies to is denied.',
      mistaken: ['effect', 'decision'],
    },
    mode: { shape: MODE, doc: 'observe: the rule is evaluated, counted and recorded, and never denies.' },
    when: { shape: CONDITIONS, doc: 'The rule applies only when these conditions all hold.', mistaken: ['if', 'where', 'unless', 'match'] },
    conditions: { shape: CONDITIONS, doc: 'These conditions must all hold, else the call is denied.', mistaken: ['condition', 'require', 'requires', 'must'] },
    rate_limit: { shape: TEXT, doc: 'How many calls pass in each calendar window, for example 5/hour.', mistaken: ['ratelimit', 'rate', 'limit', 'quota'] },
    spend_limit: { shape: { kind: 'keys', table: SPEND_LIMIT }, doc: 'How much an argument may add up to in each calendar window.', mistaken: ['spend', 'budget', 'spending_limit'] },
    state: { shape: { kind: 'keys', table: STATE }, doc: 'A counter of the rule, which its conditions bound.', mistaken: ['counter', 'counters'] },
    on_deny: { shape: TEXT, doc: 'What the agent is told when this rule denies.', mistaken: ['message', 'reason', 'msg', 'deny_message', 'error'] },
  },
};

const ENTRY: KeyTable = {
  what: 'an entry',
  keys: { rules: { shape: { kind: 'list', of: { kind: 'keys', table: RULE } }, doc: 'Checked in order; each must let the call pass.', mistaken: ['rule', 'policies', 'checks'] } },
};
const ENTRIES: Shape = { kind: 'named', of: { kind: 'keys', table: ENTRY, words: EFFECTS } };

const MATCH: KeyTable = {
  what: 'match',
  keys: {
    server: { shape: TEXTS, doc: 'Server names or globs; the file\'s own name without .yaml where it is left out.', mistaken: ['servers', 'name', 'names'] },
    labels: { shape: { kind: 'named', of: TEXTS }, doc: 'Labels that the host must have, each with one of its values.', mistaken: ['label', 'hosts', 'tags'] },
    upstream: { shape: TEXTS, doc: 'Globs over what the server name must really be: its command line, or the origin of its URL.', mistaken: ['upstreams', 'command', 'url'] },
  },
};

const ON_STALE: KeyTable = {
  what: 'on_stale',
  keys: {
    after: { shape: TEXT, doc: 'How long a proxy may be cut off from the plane before it denies, for example 10m or 1h30m.', required: { code: 'DURATION', say: 'on_stale needs `after`: how long a proxy may be cut off, for example `10m`' } },
    do: { shape: { kind: 'word', words: ['deny'], code: 'DEFAULT', mistaken: EFFECT_SYNONYMS }, doc: 'What happens then.', required: { code: 'MISSING_KEY', say: 'on_stale needs `do: deny`' }, mistaken: ['then', 'action'] },
  },
};

const CALL_KEYS: KeyTable['keys'] = {
  tool: { shape: TEXT, doc: 'The tool that is called.', mistaken: ['name'] },
  uri: { shape: TEXT, doc: 'The resource that is read.', mistaken: ['resource'] },
  prompt: { shape: TEXT, doc: 'The prompt that is fetched.' },
  method: { shape: TEXT, doc: 'Any other method.' },
  arguments: { shape: { kind: 'arguments' }, doc: 'The arguments, or the parameters of a method.', mistaken: ['args', 'params', 'input'] },
};

const EXPECT_SHAPE: WordShape = { kind: 'word', words: EFFECTS, code: 'TEST', mistaken: { ...EFFECT_SYNONYMS, allowed: 'allow', denied: 'deny', pass: 'allow', fail: 'deny' } };
const OUTCOME_KEYS: KeyTable['keys'] = {
  at: { shape: TEXT, doc: 'When the call happens, for example 2026-01-05T12:00:00Z.', mistaken: ['time', 'now'] },
  expect: { shape: EXPECT_SHAPE, doc: 'What the policy must answer.', mistaken: ['expected', 'result', 'decision'] },
  rule: { shape: TEXT, doc: 'The rule that must be the one that denies.', mistaken: ['by'] },
  outcome: { shape: { kind: 'word', words: OUTCOMES, code: 'TEST' }, doc: 'What the server answers to the allowed call; an error gives counts back.', mistaken: ['upstream', 'response'] },
};

const TEST: KeyTable = {
  what: 'a test',
  keys: {
    name: { shape: TEXT, doc: 'What a failure is reported under.', required: { code: 'TEST', say: 'a test needs a `name`' }, mistaken: ['title', 'description'] },
    server: { shape: TEXT, doc: 'The server name; the first literal name of match where it is left out.' },
    labels: { shape: { kind: 'named', of: TEXT }, doc: 'The labels of the host.' },
    client: { shape: TEXT, doc: 'The name of the client.' },
    call: { shape: { kind: 'keys', table: { what: 'a call', keys: CALL_KEYS } }, doc: 'The call that is judged.' },
    calls: {
      shape: { kind: 'list', of: { kind: 'keys', table: { what: 'a call', keys: { ...CALL_KEYS, ...OUTCOME_KEYS, times: { shape: { kind: 'number' }, doc: 'How often this call is repeated; 1 where it is left out.', mistaken: ['repeat', 'count'] } } } } },
      doc: 'Calls one after the other, which share counters. What a call leaves out is taken from the test.',
      mistaken: ['steps', 'sequence'],
    },
    ...OUTCOME_KEYS,
  },
};

export const DOCUMENT: KeyTable = {
  what: 'a policy',
  keys: {
    version: { shape: { kind: 'word', words: ['1'], code: 'VERSION' }, doc: 'The version of the policy language.', required: { code: 'VERSION', say: 'a policy begins with `version: "1"`' } },
    description: { shape: TEXT, doc: 'For people.' },
    match: { shape: { kind: 'keys', table: MATCH }, doc: 'Which proxies the policy applies to.', mistaken: ['matches', 'selector', 'applies_to', 'server', 'servers'] },
    admits: { shape: { kind: 'flag' }, doc: 'true: the policy opens the servers it matches even where it names them by a bare * only.', mistaken: ['admit'] },
    mode: { shape: MODE, doc: 'observe: everything is evaluated, counted and recorded, and nothing is denied.' },
    default: { shape: { kind: 'word', words: EFFECTS, code: 'DEFAULT', mistaken: EFFECT_SYNONYMS }, doc: 'What happens to tools, resources, prompts and methods without an entry; allow where it is left out.' },
    on_stale: { shape: { kind: 'keys', table: ON_STALE }, doc: 'What happens while a proxy is cut off from the plane; where it is left out, the last good policies stay in force.', mistaken: ['stale', 'offline'] },
    hide: { shape: TEXT_LIST, doc: 'Tools that are neither listed nor callable: names or globs.', mistaken: ['hidden', 'hides'] },
    read_only: { shape: TEXT_LIST, doc: 'Tools that still pass under a read-only restriction: names or globs.', mistaken: ['readonly', 'safe'] },
    tools: { shape: ENTRIES, doc: 'Rules by tool: an exact name, a glob, or * for every call. All matching entries apply.', mistaken: ['tool'] },
    resources: { shape: ENTRIES, doc: 'Rules by resource URI.', mistaken: ['resource', 'uris'] },
    prompts: { shape: ENTRIES, doc: 'Rules by prompt.', mistaken: ['prompt'] },
    methods: { shape: ENTRIES, doc: 'Rules by any other method, for example sampling/createMessage: deny.', mistaken: ['method'] },
    tests: { shape: { kind: 'list', of: { kind: 'keys', table: TEST } }, doc: 'Calls and what must become of them; run on every check and before every publish.', mistaken: ['test', 'examples'] },
  },
};
