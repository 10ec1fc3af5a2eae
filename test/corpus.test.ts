/** 53 policies that Intercept publishes load here without errors, and agree with the schema for editors. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatProblem, parsePolicy } from '@portcullis/policy-core';
import { faultsOf } from './schema-reader.ts';

const DIRECTORY = join(import.meta.dirname, 'corpus');
const FILES = readdirSync(DIRECTORY).filter((file) => file.endsWith('.yaml'));

describe('the published policies', () => {
  it('are all here', () => {
    expect(FILES).toHaveLength(53);
  });

  it.each(FILES)('%s', (file) => {
    const bytes = readFileSync(join(DIRECTORY, file));
    const parsed = parsePolicy({ id: file, bytes });
    expect(parsed.problems.map(formatProblem)).toEqual([]);
    const listed = bytes.toString('utf8').match(/^ {4}\S+:$/gm) ?? [];
    expect(parsed.ok ? parsed.policy.tools.length : 0).toBe(listed.length);
    expect(faultsOf(bytes.toString('utf8'))).toEqual([]);
  });
});
