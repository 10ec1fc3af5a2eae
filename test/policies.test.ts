/** The policies that are shipped: all of them load without any problem, and their own tests pass. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkPolicySet, formatProblem, parsePolicy, policySchema, runPolicyTests } from '@portcullis/policy-core';
import { faultsOf } from './schema-reader.ts';

const DIRECTORY = join(import.meta.dirname, '../policies');
const FILES = readdirSync(DIRECTORY, { recursive: true, encoding: 'utf8' }).filter((file) => /\.ya?ml$/.test(file));

function read(file: string): Uint8Array {
  return readFileSync(join(DIRECTORY, file));
}

describe('policies/', () => {
  it('is about the servers that people run', () => {
    expect(FILES.map((file) => file.replace(/\.yaml$/, '')).sort()).toEqual(['fetch', 'filesystem', 'git', 'github', 'kubernetes', 'memory', 'playwright', 'postgres', 'slack', 'stripe']);
  });

  it.each(FILES)('%s loads without a problem, and its tests pass', (file) => {
    const parsed = parsePolicy({ id: file.replaceAll('\\', '/'), bytes: read(file) });
    expect(parsed.problems.map(formatProblem)).toEqual([]);
    if (!parsed.ok) return;
    expect(parsed.tests.length, 'a shipped policy shows by tests what it does').toBeGreaterThan(0);
    expect(runPolicyTests(parsed.policy, parsed.tests).failures.map(({ message }) => message)).toEqual([]);
  });

  it.each(FILES)('%s agrees with the schema for editors', (file) => {
    expect(faultsOf(new TextDecoder().decode(read(file)))).toEqual([]);
  });

  it('come with the schema that editors find beside them', () => {
    const schema: unknown = JSON.parse(readFileSync(join(DIRECTORY, 'policy.schema.json'), 'utf8'));
    expect(schema, 'write it anew: npx --no portcullis schema > policies/policy.schema.json').toEqual(policySchema());
  });

  it('go together', () => {
    const policies = FILES.flatMap((file) => {
      const parsed = parsePolicy({ id: file.replaceAll('\\', '/'), bytes: read(file) });
      return parsed.ok ? [parsed.policy] : [];
    });
    expect(checkPolicySet(policies).map(formatProblem)).toEqual([]);
  });
});
