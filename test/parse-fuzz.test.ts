/**
 * Whatever the bytes, parsePolicy answers, soon, and in one of its two forms: a policy that survives the wire unchanged,
 * or problems that point into the text. PORTCULLIS_FUZZ_CASES sets how many, PORTCULLIS_SEED which.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROBLEM_CODES, canonicalJson, compilePolicies, parsePolicy, readPolicies, runPolicyTests } from '@portcullis/policy-core';
import type { ParsedPolicy } from '@portcullis/policy-core';
import { mulberry32 } from './relay/seeded.ts';

const CASES = Number(process.env['PORTCULLIS_FUZZ_CASES'] ?? 2000);
const SEED = Number(process.env['PORTCULLIS_SEED'] ?? 20261122);

/** Far above what a mebibyte takes on a slow machine, far below for ever. */
const SOON_MS = 5000;

const VECTORS = JSON.parse(readFileSync(join(import.meta.dirname, 'vectors/intercept/validate.json'), 'utf8')) as readonly { readonly yaml: string; readonly valid: boolean }[];
const SHIPPED = join(import.meta.dirname, '../policies');
const SHIPPED_TEXTS = readdirSync(SHIPPED).filter((file) => file.endsWith('.yaml')).map((file) => readFileSync(join(SHIPPED, file), 'utf8'));
/** Mostly texts that load: from the others there is little to break. */
const LOADING = [...VECTORS.filter(({ valid }) => valid).map(({ yaml }) => yaml), ...SHIPPED_TEXTS];
const OTHERS = VECTORS.filter(({ valid }) => !valid).map(({ yaml }) => yaml);

const PIECES = [
  '\n', '  ', ': ', '- ', '? ', '{', '}', '[', ']', ',', '&a ', '*a', '<<: *a', '!!int ', '!!str ', '!x ', '|\n', '>-\n', '"', "'", '#', '---\n', '...\n', '%YAML 1.2\n', '\t', '\r\n', '\r', '\u0000', '\ufeff', '\u2028', '\\ud800',
  '~', 'null', '.inf', '1e400', '0x', '2024-01-15', '__proto__', 'constructor', 'x-', '*', '?', 'state._global.c', 'args.', 'rules', 'deny', 'tools', 'when', 'spend_limit', '99999999999999999999', '😀',
];

describe('parsePolicy', () => {
  it(`answers to ${CASES} mutated policies (seed ${SEED})`, { timeout: 600_000 }, () => {
    const random = mulberry32(SEED);
    let accepted = 0;
    for (let n = 0; n < CASES; n++) {
      const bytes = mutated(random);
      const started = performance.now();
      const parsed = parsePolicy({ id: 'fuzz.yaml', bytes });
      const told = `seed ${SEED}, case ${n}: ${JSON.stringify(new TextDecoder().decode(bytes).slice(0, 2000))}`;
      expect(performance.now() - started, told).toBeLessThan(SOON_MS);
      expectWellFormed(parsed, new TextDecoder().decode(bytes), told);
      if (parsed.ok) accepted++;
    }
    // Mutations that break everything would prove little.
    expect(accepted).toBeGreaterThan(CASES / 50);
  });

  it(`answers to bytes of any kind (seed ${SEED})`, () => {
    const random = mulberry32(SEED + 1);
    for (let n = 0; n < 500; n++) {
      const bytes = Uint8Array.from({ length: Math.floor(random() * 200) }, () => Math.floor(random() * 256));
      expectWellFormed(parsePolicy({ id: 'fuzz.yaml', bytes }), '', `seed ${SEED}, case ${n}: ${bytes.join(' ')}`);
    }
  });
});

function mutated(random: () => number): Uint8Array {
  let text = pick(random() < 0.8 ? LOADING : OTHERS, random);
  for (let edits = 1 + Math.floor(random() * random() * 4); edits > 0; edits--) text = edited(text, random);
  const bytes = new TextEncoder().encode(text);
  if (random() < 0.05 && bytes.length > 0) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
  return bytes;
}

function edited(text: string, random: () => number): string {
  const at = Math.floor(random() * (text.length + 1));
  const end = Math.min(text.length, at + Math.floor(random() * 20));
  switch (Math.floor(random() * 5)) {
    case 0:
      return text.slice(0, at) + pick(PIECES, random) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(end);
    case 2:
      return text.slice(0, at) + pick(PIECES, random) + text.slice(end);
    case 3:
      return text.slice(0, end) + text.slice(at);
    default: {
      const other = pick(LOADING, random);
      const from = Math.floor(random() * other.length);
      return text.slice(0, at) + other.slice(from, from + Math.floor(random() * 60)) + text.slice(at);
    }
  }
}

function pick<T>(items: readonly T[], random: () => number): T {
  const picked = items[Math.floor(random() * items.length)];
  if (picked === undefined) throw new Error('nothing to pick from');
  return picked;
}

function expectWellFormed(parsed: ParsedPolicy, text: string, told: string): void {
  expect(parsed.problems.some(({ severity }) => severity === 'error'), told).toBe(!parsed.ok);
  const lines = text.split('\n').length;
  for (const { code, line, column, message } of parsed.problems) {
    expect(PROBLEM_CODES, told).toContain(code);
    expect(line >= 1 && column >= 1 && (text === '' || line <= lines), `${told}: ${line}:${column}`).toBe(true);
    expect(message, told).toMatch(/^\S/);
  }
  if (!parsed.ok) return;
  const { policy } = parsed;
  // As it is sent: nothing is lost, and the proxy's reader accepts it.
  const read = readPolicies(canonicalJson({ policies: [policy] }));
  expect(read.ok ? read.value : read.message, told).toEqual([policy]);
  // And as it is used: every rule can be compiled and asked, and the tests can be run.
  expect(() => {
    compilePolicies([policy], { server: 'fuzz', labels: {} }, null);
    runPolicyTests(policy, parsed.tests);
  }, told).not.toThrow();
}
