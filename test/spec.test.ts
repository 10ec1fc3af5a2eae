/** The gate on docs/SPEC.md: every rule is cited by a test title, and every cited rule exists. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const RULE = /^- \*\*([A-Z]\d+)\*\*/gm;
/** A title that begins with citations: `'[E1] …'`, `'[E1][F2] …'`, `'[R1, R3] …'`. */
const CITING = /['"`]((?:\[[A-Z]\d+(?:\s*,\s*[A-Z]\d+)*\] ?)+)/g;
const ID = /[A-Z]\d+/g;

describe('docs/SPEC.md', () => {
  const rules = new Set([...readFileSync(join(ROOT, 'docs/SPEC.md'), 'utf8').matchAll(RULE)].map((match) => match[1] ?? ''));
  const cited = citations();

  it('has rules to hold tests against', () => {
    expect(rules.size).toBeGreaterThan(30);
  });

  it('has no rule without a test', () => {
    expect([...rules].filter((rule) => !cited.has(rule))).toEqual([]);
  });

  it('knows every rule that a test cites', () => {
    expect([...cited.keys()].filter((rule) => !rules.has(rule)).map((rule) => `${rule}: ${cited.get(rule) ?? ''}`)).toEqual([]);
  });
});

/** Rule id to the first file that cites it. */
function citations(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of testFiles()) {
    for (const [, citations] of readFileSync(join(ROOT, file), 'utf8').matchAll(CITING)) {
      for (const [id] of (citations ?? '').matchAll(ID)) if (!found.has(id)) found.set(id, file);
    }
  }
  return found;
}

function testFiles(): readonly string[] {
  return ['packages', 'apps', 'test'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(test|suite|contract)\.ts$|-contract\.ts$/.test(path) && !/(^|\/)(node_modules|dist)\//.test(path))
      .map((path) => join(folder, path)),
  );
}
