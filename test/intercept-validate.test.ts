/**
 * Loading as Intercept does (validate.json): what it refuses is refused here, for the same fault at the same place; what
 * it accepts is accepted, or the divergence is listed with its reason.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { describe, expect, it } from 'vitest';
import type { Problem } from '@portcullis/policy-core';
import { formatProblem, parsePolicy } from '@portcullis/policy-core';
import { VALIDATE_DIVERGENCES } from './intercept-divergences.ts';

interface Vector {
  readonly id: string;
  readonly yaml: string;
  readonly valid: boolean;
  readonly errorsContain: readonly string[];
  readonly phase?: 'load' | 'validate';
  readonly errorCount?: number;
  readonly interceptErrors?: readonly string[];
}

const VECTORS = JSON.parse(readFileSync(join(import.meta.dirname, 'vectors/intercept/validate.json'), 'utf8')) as readonly Vector[];

/** Which of our codes is the same fault as one of Intercept's messages. The first pattern that fits decides. */
const FAULTS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^version must be/, ['VERSION']],
  [/^default must be/, ['DEFAULT']],
  [/^hide(\[\d+\])?: /, ['HIDE']],
  [/duplicate state counter/, ['COUNTER_DUPLICATE']],
  [/rate_limit (must be in the format|count must|window must)/, ['RATE_LIMIT']],
  [/rate_limit cannot be/, ['RULE_CONFLICT']],
  [/rule must have a name/, ['RULE_NAME']],
  [/action must be/, ['RULE_ACTION']],
  [/deny rules must not have conditions/, ['RULE_CONFLICT']],
  [/must have at least one condition/, ['RULE_EMPTY']],
  [/path must start/, ['PATH']],
  [/unknown operator/, ['OPERATOR']],
  [/requires a (list|numeric|boolean) value|regex value must be a string/, ['VALUE']],
  [/invalid regex/, ['REGEX']],
  [/\.state: counter must not be empty|increment_from must start/, ['COUNTER']],
  [/\.state: window must be/, ['WINDOW']],
  [/no matching state block/, ['COUNTER_UNKNOWN']],
];

/** What a load error of Intercept may be here: of one file it reports one, and not always the telling one. */
const LOAD_FAULTS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/already defined at line/, ['YAML_DUPLICATE_KEY']],
  [/unknown anchor|contains itself/, ['YAML_ALIAS']],
  [/map merge requires/, ['YAML_MERGE']],
  [/cannot unmarshal .* into int/, ['TYPE', 'COUNTER']],
  [/cannot unmarshal|cannot decode/, ['TYPE', 'YAML_TAG']],
  [/yaml: /, ['YAML_SYNTAX']],
];

describe('validate.json', () => {
  it('has the cases that it is known to have', () => {
    expect(VECTORS).toHaveLength(238);
    expect([...VALIDATE_DIVERGENCES.keys()].filter((id) => !VECTORS.some((vector) => vector.id === id))).toEqual([]);
  });

  it.each(VECTORS.map((vector) => [vector.id, vector] as const))('%s', (id, vector) => {
    const divergence = VALIDATE_DIVERGENCES.get(id);
    const parsed = parsePolicy({ id: 'vector.yaml', bytes: new TextEncoder().encode(vector.yaml) });
    const errors = parsed.problems.filter(({ severity }) => severity === 'error');
    const told = errors.map(formatProblem).join('\n');
    expect(parsed.ok, told).toBe(vector.valid && divergence?.differs !== 'refused');
    if (vector.valid) return;
    if (vector.phase === 'load') expectLoadFault(vector, errors, told);
    else expectSameFaults(vector, errors, told);
  });
});

/** Load errors come with a line where it does not depend on the YAML library. */
function expectLoadFault(vector: Vector, errors: readonly Problem[], told: string): void {
  const codes = LOAD_FAULTS.find(([pattern]) => pattern.test(vector.interceptErrors?.join('\n') ?? ''))?.[1] ?? [];
  expect(errors.filter(({ code }) => codes.includes(code)), told).not.toEqual([]);
  const line = vector.errorsContain.map((text) => /^line (\d+)$/.exec(text)?.[1]).find((found) => found !== undefined);
  if (line !== undefined) expect(errors.map((problem) => problem.line), told).toContain(Number(line));
}

/** Semantic errors: as many, of the same kinds, inside the nodes that Intercept names. */
function expectSameFaults(vector: Vector, errors: readonly Problem[], told: string): void {
  const left = [...errors];
  const differs = VALIDATE_DIVERGENCES.get(vector.id)?.differs;
  const instead = typeof differs === 'object' && 'instead' in differs ? differs.instead : [];
  const besides = typeof differs === 'object' && 'besides' in differs ? differs.besides : [];
  const missed: string[] = [];
  for (const theirs of vector.interceptErrors ?? []) {
    const codes = FAULTS.find(([pattern]) => pattern.test(theirs))?.[1] ?? [];
    const [from, to] = linesOf(vector.yaml, /^(tools\.[^:]*?)(\.state)?: /.exec(theirs)?.[1] ?? '');
    const found = left.findIndex(({ code, line }) => codes.includes(code) && line >= from && line <= to);
    if (found === -1) missed.push(theirs);
    else left.splice(found, 1);
  }
  expect(missed, told).toHaveLength(instead.length);
  expect(left.map(({ code }) => code).sort(), told).toEqual([...instead, ...besides].sort());
  expect(errors.length, told).toBeGreaterThan(0);
}

/** First and last line of a node that Intercept names by its path: `tools.t.rules[0].conditions[1]`. The whole text for any other. */
function linesOf(yaml: string, path: string): readonly [number, number] {
  const match = /^tools\.(.*)\.rules\[(\d+)\](?:\.conditions\[(\d+)\])?$/.exec(path);
  if (match === null) return [1, Infinity];
  const [, tool = '', rule = '', condition] = match;
  const keys = ['tools', tool, 'rules', Number(rule), ...(condition === undefined ? [] : ['conditions', Number(condition)])];
  const node: unknown = parseDocument(yaml).getIn(keys, true);
  const range = typeof node === 'object' && node !== null && 'range' in node ? (node.range as readonly number[] | null) : null;
  return range === null ? [1, Infinity] : [lineAt(yaml, range[0] ?? 0), lineAt(yaml, range[1] ?? yaml.length)];
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
