/**
 * Intercept's vectors through the real commands: what `portcullis check` refuses and what `portcullis eval` decides, as
 * other programs meet them. The quick runners (test/intercept-*.test.ts) look closer at the same cases, within one process.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InexactNumber, parseStrict } from '@portcullis/policy-core';
import type { JsonObject, JsonValue } from '@portcullis/policy-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVALUATE_DIVERGENCES, VALIDATE_DIVERGENCES } from '../intercept-divergences.ts';
import type { Deviation } from '../intercept-divergences.ts';
import { PORTCULLIS, run } from '../world/process.ts';
import type { Finished } from '../world/process.ts';

const VECTORS = join(import.meta.dirname, '..', 'vectors/intercept');
const PREFIX = '[INTERCEPT POLICY DENIED] ';
const START = '2026-03-04T12:00:00Z';
/** Processes side by side: enough to keep two cores busy. */
const AT_ONCE = 4;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'portcullis-vectors-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function portcullis(args: readonly string[], input = ''): Promise<Finished> {
  return run(process.execPath, [PORTCULLIS, ...args], { PORTCULLIS_HOME: join(root, 'no-plane') }, { cwd: root, input });
}

interface Vector {
  readonly id: string;
  readonly yaml: string;
  readonly valid: boolean;
  readonly phase?: 'load' | 'validate';
  readonly errorsContain: readonly string[];
}

interface Report {
  readonly ok: boolean;
  readonly problems: readonly { readonly file: string; readonly line: number; readonly severity: string; readonly message: string }[];
}

describe('check: validate.json', () => {
  const vectors = JSON.parse(readFileSync(join(VECTORS, 'validate.json'), 'utf8')) as readonly Vector[];
  const isAccepted = ({ id, valid }: Vector): boolean => valid && VALIDATE_DIVERGENCES.get(id)?.differs !== 'refused';

  async function checked(directory: string, written: readonly Vector[]): Promise<{ readonly code: number; readonly report: Report; readonly pathOf: (vector: Vector) => string }> {
    const pathOf = ({ id }: Vector): string => join(root, directory, `${id}.yaml`);
    mkdirSync(join(root, directory));
    for (const vector of written) writeFileSync(pathOf(vector), vector.yaml);
    const { code, stdout, stderr } = await portcullis(['check', join(root, directory), '--json']);
    expect(stderr).toBe('');
    return { code, report: JSON.parse(stdout) as Report, pathOf };
  }

  it('accepts what Intercept accepts, but for what is listed', async () => {
    const accepted = vectors.filter(isAccepted);
    expect(accepted.length).toBeGreaterThan(75);
    const { code, report } = await checked('accepted', accepted);
    expect(report.problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect({ code, ok: report.ok }).toEqual({ code: 0, ok: true });
  });

  it('refuses each that Intercept refuses, at the line that it names, and each that is listed', async () => {
    const refused = vectors.filter((vector) => !isAccepted(vector));
    expect(refused.length).toBeGreaterThan(125);
    const { code, report, pathOf } = await checked('refused', refused);
    expect({ code, ok: report.ok }).toEqual({ code: 1, ok: false });
    for (const vector of refused) {
      const errors = report.problems.filter(({ file, severity }) => severity === 'error' && file === pathOf(vector));
      expect(errors, vector.id).not.toEqual([]);
      const line = vector.phase === 'load' ? vector.errorsContain.map((text) => /^line (\d+)$/.exec(text)?.[1]).find((found) => found !== undefined) : undefined;
      if (line !== undefined) expect(errors.map((error) => error.line), vector.id).toContain(Number(line));
    }
  });

  it('answers for one file as for a directory of them', async () => {
    for (const vector of [vectors.find(isAccepted), vectors.find((one) => !isAccepted(one))]) {
      if (vector === undefined) throw new Error('no such vector');
      writeFileSync(join(root, 'alone.yaml'), vector.yaml);
      expect((await portcullis(['check', join(root, 'alone.yaml')])).code, vector.id).toBe(isAccepted(vector) ? 0 : 1);
    }
  });
});

interface Step {
  readonly call?: { readonly name: string; readonly arguments?: JsonObject };
  readonly at?: string;
  readonly upstream?: 'ok' | 'error' | 'tool_error' | 'none';
  readonly settle?: number;
  readonly defer?: boolean;
  readonly reload?: string;
  readonly backend?: string;
  readonly expect?: { readonly decision: 'allow' | 'deny'; readonly message: string | null; readonly rule?: string | null; readonly phase?: string };
}

interface Case {
  readonly id: string;
  readonly policy: string;
  readonly steps: readonly Step[];
}

interface Answer {
  readonly decision: 'allow' | 'deny';
  readonly message: string | null;
  readonly rule: string | null;
  readonly reason: string;
}

describe('eval: evaluate.json', () => {
  const cases = vectorsOf('evaluate.json') as readonly Case[];
  /** What a command that reads one policy and answers line by line cannot be asked: a swap of policies, a late answer, a broken store. */
  const isAskable = ({ steps }: Case): boolean => steps.every(({ reload, backend, defer, settle, call }) => reload === undefined && backend === undefined && defer !== true && settle === undefined && call !== undefined);
  const askable = cases.filter(isAskable);

  it('asks all but those that reload a policy or break the store', () => {
    expect(cases.filter((one) => !isAskable(one)).map(({ id }) => id)).toEqual([
      'reload-lower-limit-default-message', 'reload-window-change-at-midnight-hour-keeps', 'backend-down-closed', 'backend-down-open', 'backend-down-closed-exists-false-passes',
    ]);
  });

  it('decides, says and names the rule as Intercept does, but for what is listed step by step', { timeout: 240_000 }, async () => {
    const wrong: string[] = [];
    const waiting = [...askable.entries()];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) wrong.push(...(await faultsOf(next[1], next[0])));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    expect(wrong).toEqual([]);
  });
});

/** What went otherwise than in Intercept and is not listed, or is listed and did not. */
async function faultsOf({ id, policy, steps }: Case, number: number): Promise<readonly string[]> {
  const directory = join(root, `case-${number}`);
  mkdirSync(directory);
  const file = join(directory, 'vector.yaml');
  writeFileSync(file, policy);
  const { code, stdout, stderr } = await portcullis(['eval', '--policy', file], linesOf(steps).join('\n'));
  const stated = EVALUATE_DIVERGENCES.get(id)?.steps;
  if (stated === 'unloadable') return code === 1 && stdout === '' && stderr !== '' ? [] : [`${id}: should not load, but exit ${code}: ${stdout}`];
  if (code !== 0) return [`${id}: exit ${code}: ${stderr}`];
  const answers = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Answer);
  if (answers.length !== steps.length) return [`${id}: ${answers.length} answers to ${steps.length} calls`];
  return answers.flatMap((answer, step) => {
    const fault = faultOf(answer, steps[step]?.expect, stated?.get(step));
    return fault === null ? [] : [`${id}, step ${step}: ${fault}: ${JSON.stringify(answer)}`];
  });
}

function faultOf(got: Answer, expected: Step['expect'], deviation: Deviation | undefined): string | null {
  if (deviation !== undefined) return got.decision === deviation.decision && got.reason === deviation.reason ? null : `listed as ${JSON.stringify(deviation)}`;
  if (expected === undefined) return null;
  const message = expected.message?.replace(PREFIX, '') ?? null;
  if (got.decision !== expected.decision || got.message !== message) return `should ${expected.decision}, saying ${JSON.stringify(message)}`;
  // Intercept names no rule where an amount cannot be read; a decision names every rule (E4).
  if (expected.phase !== 'internal' && expected.rule !== undefined && got.rule !== expected.rule) return `should name ${JSON.stringify(expected.rule)}`;
  return null;
}

/** The clock of a case stays where a step has set it. */
function linesOf(steps: readonly Step[]): readonly string[] {
  let at = START;
  return steps.map((step) => {
    at = step.at ?? at;
    return jsonOf({ tool: step.call?.name ?? '', arguments: step.call?.arguments ?? {}, at, outcome: step.upstream ?? 'ok' });
  });
}

/** With every number as it was written: `-0` and what a double cannot hold are cases of their own. */
function jsonOf(value: JsonValue): string {
  if (value instanceof InexactNumber) return value.text;
  if (Object.is(value, -0)) return '-0';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(jsonOf).join(',')}]`;
  return `{${Object.entries(value as JsonObject).map(([key, item]) => `${JSON.stringify(key)}:${jsonOf(item)}`).join(',')}}`;
}

function vectorsOf(file: string): unknown {
  const read = parseStrict(readFileSync(join(VECTORS, file), 'utf8'), { maxDepth: 64, maxValues: 1_000_000 });
  if (!read.ok) throw new Error(read.problem.message);
  return read.value;
}
