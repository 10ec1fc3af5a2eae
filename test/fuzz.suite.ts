/**
 * Hostile input of two kinds, seeded. Whatever the bytes of a policy, parsePolicy answers in one of its two forms: a policy that survives the wire
 * unchanged, or problems that point into the text. Whatever the text of a call, it is refused, or read as JSON.parse reads it and decided. Neither
 * throws, hangs, or keeps memory. PORTCULLIS_SEED says which cases.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PROBLEM_CODES, REASONS, canonicalJson, compilePolicies, decide, memoryCounters, parsePolicy, parseStrict, readPolicies, runPolicyTests } from '@portcullis/policy-core';
import type { Enforcement, JsonObject, ParsedPolicy } from '@portcullis/policy-core';
import { describe, expect, it } from 'vitest';
import { SERVER, LABELS, policySet } from './policy-generator.ts';
import { random as seeded } from './random.ts';
import type { Random } from './random.ts';

const SEED = Number(process.env['PORTCULLIS_SEED'] ?? 20261122);

/** What a process may hold more after thousands of cases than before: caches of the language have bounds far below. */
const KEPT_BYTES = 64 * 1024 * 1024;

/** As the proxy reads a call. */
const LIMITS = { maxDepth: 128, maxValues: 1_000_000 };

const VECTORS = JSON.parse(readFileSync(join(import.meta.dirname, 'vectors/intercept/validate.json'), 'utf8')) as readonly { readonly yaml: string; readonly valid: boolean }[];
const SHIPPED = join(import.meta.dirname, '../policies');
const SHIPPED_TEXTS = readdirSync(SHIPPED).filter((file) => file.endsWith('.yaml')).map((file) => readFileSync(join(SHIPPED, file), 'utf8'));
const DOCUMENTS = [...readFileSync(join(import.meta.dirname, '../docs/policy.md'), 'utf8').matchAll(/^```yaml.*\n(version[^]*?)^```$/gm)].map((match) => match[1] ?? '');
/** Mostly texts that load: from the others there is little to break. */
const LOADING = [...VECTORS.filter(({ valid }) => valid).map(({ yaml }) => yaml), ...DOCUMENTS];
const OTHERS = VECTORS.filter(({ valid }) => !valid).map(({ yaml }) => yaml);

const PIECES = [
  '\n', '  ', ': ', '- ', '? ', '{', '}', '[', ']', ',', '&a ', '*a', '<<: *a', '!!int ', '!!str ', '!x ', '|\n', '>-\n', '"', "'", '#', '---\n', '...\n', '%YAML 1.2\n', '\t', '\r\n', '\r', '\u0000', '\ufeff', '\u2028', '\\ud800',
  '~', 'null', '.inf', '1e400', '0x', '2024-01-15', '__proto__', 'constructor', 'x-', '*', '?', 'state._global.c', 'args.', 'rules', 'deny', 'tools', 'when', 'spend_limit', '99999999999999999999', '😀',
];

/** Declares the tests, over so many texts of policies and of calls. */
export function describeFuzz(texts: number, calls: number): void {
  // A case takes half a millisecond; a busy machine may take ten times as long.
  describe(`hostile input (seed ${SEED})`, { timeout: 60_000 + (texts + calls) * 10 }, () => {
    it(`${texts} mutated policies`, () => {
      const random = seeded(SEED);
      let accepted = 0;
      const kept = keptBy(() => {
        for (let n = 0; n < texts; n++) {
          const bytes = mutated(random);
          const parsed = parsePolicy({ id: 'fuzz.yaml', bytes });
          told(`case ${n}`, bytes, () => expectWellFormed(parsed, new TextDecoder().decode(bytes)));
          if (parsed.ok) accepted++;
        }
      });
      // Mutations that break everything would prove little.
      expect(accepted).toBeGreaterThan(texts / 50);
      expect(kept).toBeLessThan(KEPT_BYTES);
    });

    it('bytes of any kind', () => {
      const random = seeded(SEED + 1);
      for (let n = 0; n < 500; n++) {
        const bytes = Uint8Array.from({ length: random.below(200) }, () => random.below(256));
        told(`case ${n}`, bytes, () => expectWellFormed(parsePolicy({ id: 'fuzz.yaml', bytes }), ''));
      }
    });

    it(`[E5] ${calls} mutated arguments`, () => {
      const random = seeded(SEED + 2);
      let read = 0;
      const kept = keptBy(() => {
        let enforcement: Enforcement | null = null;
        for (let n = 0; n < calls; n++) {
          if (enforcement === null || random.chance(0.05)) enforcement = compilePolicies(policySet(random), { server: SERVER, labels: LABELS }, null);
          const text = mutatedArguments(random);
          const judged = enforcement;
          told(`case ${n}`, text, () => {
            if (expectDecided(text, judged)) read++;
          });
        }
      });
      expect(read).toBeGreaterThan(calls / 10);
      expect(read).toBeLessThan((calls * 9) / 10);
      expect(kept).toBeLessThan(KEPT_BYTES);
    });
  });
}

/** By how many bytes the heap has grown through the work, garbage aside. */
function keptBy(work: () => void): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  work();
  collect();
  return process.memoryUsage().heapUsed - before;
}

/** What a case was, said only where it fails. */
function told(which: string, input: Uint8Array | string, check: () => void): void {
  try {
    check();
  } catch (error) {
    const text = typeof input === 'string' ? input : new TextDecoder().decode(input);
    throw new Error(`seed ${SEED}, ${which}: ${JSON.stringify(text.slice(0, 2000))}`, { cause: error });
  }
}

const JSON_PIECES = [
  '"', '\\', '{', '}', '[', ']', ',', ':', '-', '.', 'e', 'E+', '0', '1e400', '-0', '1e-400', '9007199254740993', '99999999999999999999', 'true', 'null', 'NaN', 'Infinity', '"__proto__":', '"constructor":{},', '"x":', '"y":[',
  '\\u0000', '\\ud800', '\\ud83d\\ude00', '\ud800', '\u0000', '\n', '\ufeff', '//', "'", '"a":1,"a":2,', '[[[[[[[[', ']]]]', '{"x":{"y":', '😀', ' ', '"amount":-5', '"amount":0.1', '"/srv/a/%2e%2e/"', '"http://x@h.example"',
];
const ARGUMENTS = [
  '{"x":"a","y":{"z":[1,2,{"k":null}]},"amount":5}', '{"x":{"y":"ab"},"amount":1.5}', '{"x":["a",1,true,null],"y":"b"}', '{"x":"/srv/a/b","amount":"5"}', '{"x":"https://h.example/x?y#z"}', '{}', '{"x":1e6,"y":-0,"amount":1e21}',
];

function mutatedArguments(random: Random): string {
  if (random.chance(0.01)) return `{"x":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
  let text = random.pick(ARGUMENTS);
  for (let edits = random.below(4); edits > 0; edits--) {
    const at = random.below(text.length + 1);
    text = text.slice(0, at) + random.pick(JSON_PIECES) + text.slice(at + random.below(3));
  }
  return text;
}

/** Whether the text was read; it is then decided, twice alike. */
function expectDecided(text: string, enforcement: Enforcement): boolean {
  const read = parseStrict(text, LIMITS);
  if (!read.ok || typeof read.value !== 'object' || read.value === null || Array.isArray(read.value)) return false;
  const plain = JSON.parse(text) as unknown;
  if (!read.inexact) expect(read.value).toEqual(plain);
  const args = read.value as JsonObject;
  const call = { kind: 'tool', name: 'a', arguments: args } as const;
  const context = { server: SERVER, labels: LABELS, upstream: null, clientName: null, nowMs: 0, staleMs: 0 };
  const [once, twice] = [0, 1].map(() => decide({ enforcement, restrictions: [], call, context, counters: memoryCounters() }).decision);
  expect(once).toEqual(twice);
  expect(REASONS).toContain(once?.reason);
  expect(once?.message === null).toBe(once?.decision === 'allow');
  return true;
}

function mutated(random: Random): Uint8Array {
  // Shipped policies are long: now and then is often enough.
  let text = random.pick(random.chance(0.02) ? SHIPPED_TEXTS : random.chance(0.8) ? LOADING : OTHERS);
  for (let edits = 1 + random.below(1 + random.below(4)); edits > 0; edits--) text = edited(text, random);
  const bytes = new TextEncoder().encode(text);
  if (random.chance(0.05) && bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}

function edited(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const end = Math.min(text.length, at + random.below(20));
  switch (random.below(5)) {
    case 0:
      return text.slice(0, at) + random.pick(PIECES) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(end);
    case 2:
      return text.slice(0, at) + random.pick(PIECES) + text.slice(end);
    case 3:
      return text.slice(0, end) + text.slice(at);
    default: {
      const other = random.pick(LOADING);
      const from = random.below(other.length);
      return text.slice(0, at) + other.slice(from, from + random.below(60)) + text.slice(at);
    }
  }
}

const CODES: ReadonlySet<string> = new Set(PROBLEM_CODES);

function expectWellFormed(parsed: ParsedPolicy, text: string): void {
  expect(parsed.problems.some(({ severity }) => severity === 'error')).toBe(!parsed.ok);
  const lines = text.split('\n').length;
  const astray = parsed.problems.filter(({ code, line, column, message }) => !CODES.has(code) || line < 1 || column < 1 || (text !== '' && line > lines) || !/^\S/.test(message));
  expect(astray).toEqual([]);
  if (!parsed.ok) return;
  const { policy } = parsed;
  // As it is sent: nothing is lost, and the proxy's reader accepts it.
  const read = readPolicies(canonicalJson({ policies: [policy] }));
  expect(read.ok ? read.value : read.message).toEqual([policy]);
  // And as it is used: every rule can be compiled and asked, and the tests can be run.
  compilePolicies([policy], { server: 'fuzz', labels: {} }, null);
  runPolicyTests(policy, parsed.tests);
}
