import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { compileSequence } from './anchored-sequence.ts';

const SEED = Number(process.env['PORTCULLIS_SEED'] ?? 20261122);
const PATTERNS = 4000;

describe('anchored sequences', () => {
  it.each(['^[A-Z][A-Za-z0-9 ,.-]{0,79}$', '^[^;]*$', '^https://example\\.com/', '^\\d{4}-\\d{2}-\\d{2}$', '^[a-z0-9_-]+$', '^feature/.+$', '^\\S+$', '^$', '^', '^a?b{2,}$', '^a\\$', '^[-+]?\\d+$', '^[\\w.-]*$'])('reads %s', (pattern) => {
    expect(compileSequence(pattern)).not.toBeNull();
  });

  it.each([
    'a', '^a*a$', '^a?b?a$', '^.*x$', '^(a)$', '^a|b$', '^a$b', '^a\\\\$', '^[[:alpha:]]$', '^[]a]$', '^[a^]$', '^a**$', '^a+?$', '^{1}$', '^a{,5}$', '^a{x$', '^\\pL$', '^\\x41$', '^\\bx$', '^(?i)a$', '^é$', '^[a-\\d]$', '^[a-b-c]$', '^[^]$', '^a\\z', `^${'a'.repeat(200)}$`,
  ])('leaves %s to the engine', (pattern) => {
    expect(compileSequence(pattern)).toBeNull();
  });

  it(`decide as the engine does (seed ${SEED})`, () => {
    const random = mulberry32(SEED);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const several = (most: number, make: () => string): string => Array.from({ length: Math.floor(random() * (most + 1)) }, make).join('');
    const sets = ['a', 'b', 'é', '\\.', '.', '\\d', '\\w', '\\s', '\\D', '\\W', '\\S', '[ab]', '[^a]', '[a-c]', '[^\\d]', '[-a]', '[a-]', '[a\\-c]', '[\\w.]', '[+-.]', '[.-]', '-', ' ', '/', '_', '$', '[\\]a]', '[a-c1-3]', '[^\\w ]', '\\-', '[$]', '[|]', '\\\\'];
    const quantifiers = ['', '', '', '*', '+', '?', '{2}', '{0}', '{1,2}', '{0,3}', '{2,}', '+?', '{,2}', '{1}{2}'];
    const characters = ['a', 'a', 'b', 'c', '1', '.', '-', ' ', '\n', '_', 'é', '😀', 'Z', '/', '$', ']', '+', ',', '\\', '\u2028', '\r'];
    let quick = 0;
    for (let n = 0; n < PATTERNS; n++) {
      const pattern = `${pick(['^', '^', '^', ''])}${several(4, () => pick(sets) + pick(quantifiers))}${pick(['$', '$', ''])}`;
      const engine = compiledOrNull(pattern);
      const sequence = compileSequence(pattern);
      if (engine === null || sequence === null) continue;
      quick++;
      for (let m = 0; m < 12; m++) {
        const text = several(6, () => pick(characters));
        expect({ pattern, text, matches: sequence(text) }).toEqual({ pattern, text, matches: engine.test(text) });
      }
    }
    expect(quick).toBeGreaterThan(PATTERNS / 5);
  });
});

function compiledOrNull(pattern: string): RE2JS | null {
  try {
    return RE2JS.compile(pattern);
  } catch {
    return null;
  }
}

function mulberry32(seed: number): () => number {
  let a = seed | 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
