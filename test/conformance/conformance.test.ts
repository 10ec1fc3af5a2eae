/**
 * The official conformance suite, with us in between and without. A check that comes out otherwise through the proxy is a way in which
 * it can be noticed. What the suite finds in the fixture itself (tasks, an extension that the SDK does not have) is found both times.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../http/listened.ts';
import type { Listened } from '../http/listened.ts';
import { buildPrograms, CLIENT_SCENARIOS, differences, runClientScenario, runServerSuite, startFixture } from './suite.ts';
import type { Fixture, Outcome, Programs, Revision } from './suite.ts';

/** How many checks a run has at least: a run of nothing would differ in nothing. */
const LEAST_CHECKS: Readonly<Record<Revision, number>> = { '2025-11-25': 80, '2026-07-28': 180 };
const REVISIONS: readonly Revision[] = ['2025-11-25', '2026-07-28'];

/** A policy as it may stand anywhere, with nothing in it for the fixture: rules, a hidden name, a denied method. */
const POLICY = 'version: "1"\nhide: ["no_such_tool_*"]\ntools:\n  "*":\n    rules: [{ name: many, rate_limit: 100000/hour }]\nmethods: { vendor/none: deny }\n';

/** Differences that are known, with their reasons. The list may only get shorter: what no longer differs must be struck off. */
const KNOWN_FILE = join(import.meta.dirname, 'differences.json');
const known = JSON.parse(readFileSync(KNOWN_FILE, 'utf8')) as Readonly<Record<string, Readonly<Record<string, { readonly why: string; readonly differs: readonly string[] }[]>>>>;

function knownFor(run: string, revision: Revision): string[] {
  return (known[run]?.[revision] ?? []).flatMap(({ differs }) => differs).sort();
}

let programs: Programs;
let fixture: Fixture;
const direct = new Map<Revision, Outcome>();
beforeAll(async () => {
  programs = await buildPrograms();
  fixture = await startFixture(programs);
  for (const revision of REVISIONS) direct.set(revision, await runServerSuite(fixture.url, revision));
}, 120_000);
afterAll(() => {
  fixture.close();
  programs.remove();
});

/** Compares, and prints what was compared. */
function compare(run: string, revision: Revision, expected: Outcome, proxied: Outcome, least: number): void {
  process.stdout.write(`${run}, ${revision}: ${proxied.length} checks\n${proxied.map((one) => `  ${one}\n`).join('')}`);
  expect(expected.length).toBeGreaterThanOrEqual(least);
  expect(differences(expected, proxied)).toEqual(knownFor(run, revision));
}

describe.each(REVISIONS)('the server scenarios of %s', (revision) => {
  const through = async (behind: string | readonly string[], run: string): Promise<void> => {
    const listener: Listened = await listen(behind, { policy: POLICY });
    try {
      compare(run, revision, direct.get(revision) ?? [], await runServerSuite(listener.url.replace('127.0.0.1', 'localhost'), revision), LEAST_CHECKS[revision]);
    } finally {
      await listener.close();
    }
  };

  it('come out the same through the listener in front of the fixture', () => through(fixture.url, 'http'), 120_000);
  it('come out the same through the listener in front of the fixture as a process, but for what is known', () => through(programs.stdio, 'stdio'), 120_000);
});

describe('the client scenarios, but those about OAuth', () => {
  it.each(CLIENT_SCENARIOS)('%s of %s comes out the same on stdio through the bridge', async (scenario, revision) => {
    const [expected, proxied] = await Promise.all([false, true].map((through) => runClientScenario(programs, [scenario, revision], through)));
    compare(`bridge, ${scenario}`, revision, expected ?? [], proxied ?? [], 1);
  }, 120_000);
});
