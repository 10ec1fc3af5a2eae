/** One condition: what it looks at, how, and against which value. */
import { compileHostIn } from '../evaluate/host-in.ts';
import { compilePathWithin } from '../evaluate/path-within.ts';
import { MAX_GLOB_LENGTH } from '../glob.ts';
import { OPERATORS } from '../policy.ts';
import type { Condition, Operator, PolicyValue, Position } from '../policy.ts';
import { quote } from '../problem.ts';
import type { ProblemCode } from '../problem.ts';
import { compileRegex } from '../regex.ts';
import { nearest } from '../suggestion.ts';
import { checkComparand } from './comparands.ts';
import type { Findings } from './findings.ts';
import { child, itemsOf, textOf, valueOf, valuePlaceOf, wordOf } from './nodes.ts';
import type { MapNode, Node } from './nodes.ts';

/** What `type` may ask for: the names of JSON Schema. */
export const JSON_TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object', 'null'] as const;

/** Compiling one takes up to a few milliseconds. */
const MAX_REGEXES = 500;

const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

const MISTAKEN_TYPES: ReadonlyMap<string, string> = new Map([
  ['str', 'string'], ['text', 'string'], ['int', 'integer'], ['float', 'number'], ['bool', 'boolean'], ['list', 'array'], ['map', 'object'], ['dict', 'object'], ['none', 'null'],
]);

const CONTEXT_PATHS = ['proxy.server', 'client.name', 'time.hour', 'time.weekday'];

/** Reads the conditions under a key; what could not be read has been reported and is left out. */
export function readConditions(rule: MapNode, key: string, regexes: Regexes, findings: Findings): readonly Condition[] {
  return itemsOf(rule, key).flatMap((item) => (item.kind === 'map' ? readCondition(item, regexes, findings) : []));
}

/** A path that conditions ask for, with the place of its condition. */
export interface AskedPath {
  readonly path: string;
  readonly at: Position;
}

/** The paths of the conditions under a key, also of those that something else is wrong with. */
export function pathsOf(rule: MapNode, key: string, findings: Findings): readonly AskedPath[] {
  return itemsOf(rule, key).flatMap((item) => {
    const path = item.kind === 'map' ? textOf(item, 'path') : null;
    return path === null ? [] : [{ path, at: findings.at(item.offset) }];
  });
}

function readCondition(node: MapNode, regexes: Regexes, findings: Findings): readonly Condition[] {
  const path = textOf(node, 'path');
  if (path !== null) checkPath(path, valuePlaceOf(node, 'path'), findings);
  const op = wordOf(node, 'op', OPERATORS);
  const written = child(node, 'value');
  const value: PolicyValue = written === null ? { kind: 'null' } : valueOf(written);
  if (op !== null) checkValue(op, value, { written, offset: valuePlaceOf(node, 'value') }, regexes, findings);
  if (path === 'time.weekday' && op !== null) checkWeekdays(op, value, written, findings);
  return path === null || op === null ? [] : [{ path, op, value, at: findings.at(node.offset) }];
}

function checkPath(path: string, offset: number, findings: Findings): void {
  if (path.startsWith('args.') || path.startsWith('state.') || CONTEXT_PATHS.includes(path)) return;
  if (path.startsWith('proxy.labels.') && path.length > 'proxy.labels.'.length) return;
  const root = path.split(/[.[]/, 1)[0] ?? '';
  const meant = nearest(path, [...CONTEXT_PATHS, 'args', 'state']) ?? nearest(root, ['args', 'state']);
  const advice = meant === null ? '' : `; did you mean \`${CONTEXT_PATHS.includes(meant) ? meant : `${meant}.…`}\`?`;
  findings.error('PATH', offset, `the path ${quote(path)} must start with \`args.\` or \`state.\`, or be \`proxy.server\`, \`proxy.labels.<name>\`, \`client.name\`, \`time.hour\` or \`time.weekday\`${advice}`);
}

/** What has been found out about the regular expressions of a document. */
export type Regexes = Map<string, ValueFault>;

/** A fault of a value: its code, and what the operator wants. */
type ValueFault = readonly [code: ProblemCode, message: string] | null;

function checkValue(op: Operator, value: PolicyValue, { written, offset }: { readonly written: Node | null; readonly offset: number }, regexes: Regexes, findings: Findings): void {
  const fault = valueFault(op, value, regexes);
  if (fault !== null) findings.error(fault[0], offset, fault[1]);
  else if (written !== null) checkComparand(op, written, findings);
}

function valueFault(op: Operator, value: PolicyValue, regexes: Regexes): ValueFault {
  switch (op) {
    case 'eq':
    case 'neq':
    case 'contains':
      return null;
    case 'in':
    case 'not_in':
      return value.kind === 'list' ? null : wants(op, 'a list, for example `[a, b]`', value);
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return value.kind === 'int' || value.kind === 'float' ? null : wants(op, 'a number (without quotes, at most 9223372036854775807)', value);
    case 'exists':
      return value.kind === 'bool' ? null : wants(op, '`true` or `false` (without quotes)', value);
    case 'max_length':
      return value.kind === 'int' && !value.value.startsWith('-') ? null : wants(op, 'a whole number, 0 or more', value);
    case 'regex':
      return regexFault(value, regexes);
    case 'not_contains':
      return value.kind === 'string' ? null : wants(op, 'a text (put it in quotes)', value);
    case 'starts_with':
    case 'ends_with':
    case 'glob':
    case 'path_within':
    case 'host_in':
    case 'type':
      return textsFault(op, value);
  }
}

function regexFault(value: PolicyValue, regexes: Regexes): ValueFault {
  if (value.kind !== 'string') return ['VALUE', `the operator \`regex\` needs a text (put it in quotes), not ${shown(value)}`];
  const known = regexes.get(value.value);
  if (known !== undefined) return known;
  if (regexes.size >= MAX_REGEXES) return ['REGEX', `a policy may have ${MAX_REGEXES} different regular expressions: split it into several policies`];
  const compiled = compileRegex(value.value);
  const fault: ValueFault = compiled.ok ? null : ['REGEX', `the regular expression ${quote(value.value)} is not RE2: ${compiled.reason}`];
  regexes.set(value.value, fault);
  return fault;
}

/** One text, or a list of texts of which any may match. */
function textsFault(op: 'starts_with' | 'ends_with' | 'glob' | 'path_within' | 'host_in' | 'type', value: PolicyValue): ValueFault {
  const items = value.kind === 'list' ? value.items : [value];
  if (items.length === 0) return wants(op, 'a text or a list of texts', value);
  for (const item of items) {
    if (item.kind !== 'string' && !(op === 'type' && item.kind === 'null')) return wants(op, 'a text or a list of texts (in quotes)', item);
    const reason = item.kind === 'string' ? textFault(op, item.value) : '`null` must be in quotes';
    if (reason !== null) return ['VALUE', `the operator \`${op}\`: ${reason}`];
  }
  return null;
}

function textFault(op: 'starts_with' | 'ends_with' | 'glob' | 'path_within' | 'host_in' | 'type', text: string): string | null {
  switch (op) {
    case 'starts_with':
    case 'ends_with':
      return null;
    case 'glob':
      return text.length <= MAX_GLOB_LENGTH ? null : `a glob may have ${MAX_GLOB_LENGTH} characters`;
    case 'path_within':
      return compiles(() => compilePathWithin([text])) ? null : `${quote(text)} is no directory that paths can be compared with: write it plainly, without \`..\`, \`~\`, \`*\`, escapes or \`file:\``;
    case 'host_in':
      return isHost(text) ? null : `${quote(text)} is no host: write a name, a glob of names (\`*.example.com\`) or an address, without scheme, port and path`;
    case 'type': {
      if (JSON_TYPES.some((type) => type === text)) return null;
      const meant = MISTAKEN_TYPES.get(text.toLowerCase()) ?? nearest(text, JSON_TYPES);
      return `${quote(text)} is none of ${JSON_TYPES.map((type) => `\`${type}\``).join(', ')}${meant === null ? '' : `, did you mean \`${meant}\`?`}`;
    }
  }
}

/** `time.weekday` is an English name in lower case; another text would silently never be that day. */
function checkWeekdays(op: Operator, value: PolicyValue, written: Node | null, findings: Findings): void {
  if (written === null || !['eq', 'neq', 'in', 'not_in'].includes(op)) return;
  for (const item of value.kind === 'list' ? value.items : [value]) {
    if (item.kind === 'string' && WEEKDAYS.some((day) => day === item.value)) continue;
    const meant = item.kind === 'string' ? (WEEKDAYS.find((day) => day.slice(0, 3) === item.value.slice(0, 3).toLowerCase()) ?? null) : null;
    findings.error('VALUE', written.offset, `\`time.weekday\` is one of ${WEEKDAYS.map((day) => `\`${day}\``).join(', ')}, never ${shown(item)}${meant === null ? '' : `, did you mean \`${meant}\`?`}`);
  }
}

/** A port or a path beside a host would be dropped in silence. */
function isHost(text: string): boolean {
  return !/[/?#]/.test(text) && !/^[^:]*:[^:]*$/.test(text) && !/\]:/.test(text) && compiles(() => compileHostIn([text]));
}

/** The operators say by throwing that they cannot use a value. */
function compiles(compile: () => unknown): boolean {
  try {
    compile();
    return true;
  } catch {
    return false;
  }
}

function wants(op: Operator, what: string, value: PolicyValue): ValueFault {
  return ['VALUE', `the operator \`${op}\` needs ${what}, not ${shown(value)}`];
}

function shown(value: PolicyValue): string {
  switch (value.kind) {
    case 'null':
      return 'nothing';
    case 'list':
      return 'a list';
    case 'map':
      return 'a mapping';
    case 'string':
      return `the text ${quote(value.value)}`;
    case 'bool':
      return String(value.value);
    case 'int':
    case 'uint':
    case 'float':
      return `the number ${value.value}`;
    case 'timestamp':
      return 'a date';
  }
}
