/**
 * Regular expressions of the policy language: RE2, so that time is linear in the text whatever an agent sends (E5).
 * A pattern is found anywhere in the text unless it is anchored, as in Intercept.
 */
import { RE2JS } from 're2js';
import { compileSequence } from './anchored-sequence.ts';

/** A longer pattern is no longer read by anyone who has to answer for it. Characters are UTF-16 code units. */
const MAX_PATTERN_LENGTH = 10_000;

/**
 * Steps per character of text are bounded by the size of the compiled program. `.{1,1000}` compiles to about 2,000
 * instructions, so that every single repeat that RE2 accepts still fits.
 */
const MAX_PROGRAM_SIZE = 2_500;

/**
 * Steps for one text, of some 40 ns each at the very worst: about a second. An expression of ten instructions reads 2.5 million
 * characters, one of a hundred 250,000, the largest 10,000.
 */
const MAX_STEPS = 25_000_000;

export type CompiledRegex =
  | {
      readonly ok: true;
      test(text: string): boolean;
      /** Longer texts, in UTF-16 code units, are not to be given to `test`, which may take seconds for them. */
      readonly maxLength: number;
    }
  | { readonly ok: false; readonly reason: string };

/** Compiles an RE2 pattern; refuses what RE2 does not accept, with the reason in RE2's words, and what is too large. */
export function compileRegex(pattern: string): CompiledRegex {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    return { ok: false, reason: `the pattern is longer than ${MAX_PATTERN_LENGTH} characters` };
  }
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
  if (compiled.programSize() > MAX_PROGRAM_SIZE) {
    return { ok: false, reason: `the pattern needs ${compiled.programSize()} steps per character of text, more than ${MAX_PROGRAM_SIZE}; use smaller repeat counts` };
  }
  return { ok: true, test: compileSequence(pattern) ?? ((text) => compiled.test(text)), maxLength: Math.floor(MAX_STEPS / Math.max(1, compiled.programSize())) };
}
