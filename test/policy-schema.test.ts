/**
 * The schema for editors and the parser agree about the shape of policies: what one refuses as a wrong key, a missing key or a wrong type, the
 * other does. Held on policies that exist, and on as many that chance has damaged.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePolicy } from '@portcullis/policy-core';
import { collectFindings } from '../packages/policy-core/src/parse/findings.ts';
import { conform } from '../packages/policy-core/src/parse/conform.ts';
import { readYaml } from '../packages/policy-core/src/parse/yaml.ts';
import { DOCUMENT } from '../packages/policy-core/src/schema/tables.ts';
import { random as seeded } from './random.ts';
import type { Random } from './random.ts';
import { VALIDATE_DIVERGENCES } from './intercept-divergences.ts';
import { faultsOf, valueOf } from './schema-reader.ts';
import type { Json } from './schema-reader.ts';

const ROOT = join(import.meta.dirname, '..');
const SEED = Number(process.env['PORTCULLIS_SEED'] ?? 20_261_122);
const DAMAGED = 2000;

/** Whether the parser finds fault with the shape of a text, whatever else is wrong with it. */
function isMisshapen(text: string): boolean {
  const findings = collectFindings('schema.yaml', text);
  const root = readYaml(text, findings)?.root;
  if (findings.failed || root?.kind !== 'map') throw new Error(`no mapping: ${text.slice(0, 200)}`);
  conform(root, DOCUMENT, findings);
  return findings.failed;
}

/** What policies there are: those that are shipped, and the documents of the reference. */
const POLICIES = [
  ...readdirSync(join(ROOT, 'policies')).filter((file) => file.endsWith('.yaml')).map((file) => readFileSync(join(ROOT, 'policies', file), 'utf8')),
  ...[...readFileSync(join(ROOT, 'docs/policy.md'), 'utf8').matchAll(/^```yaml(.*)\n(version[^]*?)^```$/gm)].map((match) => match[2] ?? ''),
].map((text) => valueOf(text));

describe('the schema and the parser', () => {
  it(`agree about the shape of damaged policies (seed ${SEED})`, () => {
    const random = seeded(SEED);
    let fits = 0;
    for (let n = 0; n < DAMAGED; n++) {
      const text = JSON.stringify(damaged(random.pick(POLICIES), random));
      const faults = faultsOf(text);
      if (faults.length === 0) fits++;
      expect({ text, misshapen: isMisshapen(text) }, faults.join('\n')).toEqual({ text, misshapen: faults.length > 0 });
    }
    // Neither side is trivial.
    expect(fits).toBeGreaterThan(DAMAGED / 10);
    expect(fits).toBeLessThan((DAMAGED * 9) / 10);
  });

  it('agree about what stands in the vectors of Intercept', () => {
    const vectors = JSON.parse(readFileSync(join(import.meta.dirname, 'vectors/intercept/validate.json'), 'utf8')) as readonly { readonly id: string; readonly yaml: string; readonly valid: boolean }[];
    const loaded = vectors.filter(({ id, yaml, valid }) => valid && VALIDATE_DIVERGENCES.get(id)?.differs !== 'refused' && !readOtherwise(yaml));
    expect(loaded.length).toBeGreaterThan(60);
    for (const { id, yaml } of loaded) expect({ id, faults: faultsOf(yaml) }).toEqual({ id, faults: [] });
  });

  it.each([
    ['a merge key', 'x-base: &base { name: r, action: deny }\ntools: { t: { rules: [{ <<: *base }, { <<: [*base], name: s }] } }'],
    ['an empty word', 'default: ""\ntools: { t: { rules: [{ name: r, action: "", rate_limit: 5/hour }] } }'],
    ['keys left empty', 'default:\nhide:\ntools: { t: { rules: [{ name: r, on_deny: , rate_limit: 5/hour }] } }'],
  ])('both take %s', (_what, text) => {
    const policy = `version: "1"\n${text}\n`;
    expect(faultsOf(policy)).toEqual([]);
    expect(parsePolicy({ id: 'x.yaml', bytes: new TextEncoder().encode(policy) }).ok).toBe(true);
  });

  it.each(['tools: { t: { rules: [{ name: null, action: deny }] } }', 'tools: { t: { rules: [{ name: "", action: deny }] } }', 'tools: { t: { rules: [{ name: r, conditions: [{ path: args.a, op: "", value: 1 }] }] } }', 'on_stale: { after: 10m, do: }'])('both refuse %s', (text) => {
    const policy = `version: "1"\n${text}\n`;
    expect(faultsOf(policy)).not.toEqual([]);
    expect(isMisshapen(policy)).toBe(true);
  });
});

/** Texts that a reader of YAML 1.2, as editors have it, resolves to other values (a tag, `010`), or does not read. */
function readOtherwise(yaml: string): boolean {
  return /!!|\ufeff|\r/.test(yaml);
}

const REPLACEMENTS: readonly Json[] = [null, '', 'x', '1', 'deny', 'allow', 'evaluate', 'observe', 'hour', 'eq', 5, 1.5, true, false, [], {}, [null], ['x'], [{}], [[]], { a: 1 }, { a: 'deny' }, { rules: [] }, { name: 'x' }];
const KEYS = ['x-own', 'nme', 'name', 'rules', 'tools', 'op', 'value', 'call', 'default', '__proto__', 'constructor', 'toString', 'path', 'when', 'version', 'a'];

/** A policy with one to three changes anywhere in it. */
function damaged(policy: Json, random: Random): Json {
  let value = policy;
  for (let changes = 1 + random.below(3); changes > 0; changes--) value = changed(value, random, true);
  return value;
}

function changed(value: Json, random: Random, root: boolean): Json {
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    if (items.length === 0 || random.chance(0.15)) return random.chance(0.5) ? [...items, random.pick(REPLACEMENTS)] : random.pick(REPLACEMENTS);
    const at = random.below(items.length);
    return items.map((item, index) => (index === at ? changed(item, random, false) : item));
  }
  if (typeof value !== 'object' || value === null) return random.pick(REPLACEMENTS);
  const entries = Object.entries(value);
  const at = random.below(Math.max(1, entries.length));
  switch (random.below(root ? 5 : 6)) {
    case 0:
      return Object.fromEntries(entries.filter((_entry, index) => index !== at));
    case 1:
      return Object.fromEntries([...entries.filter(([key]) => key !== KEYS[at]), [random.pick(KEYS), random.pick(REPLACEMENTS)]]);
    case 5:
      return random.pick(REPLACEMENTS);
    default:
      return Object.fromEntries(entries.map(([key, item], index) => [key, index === at ? changed(item, random, false) : item]));
  }
}
