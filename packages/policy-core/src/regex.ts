/**
 * Regular expressions of the policy language: RE2, so that time is linear in the text whatever an agent sends (E5).
 * A pattern is found anywhere in the text unless it is anchored, as in Intercept.
 */
import { RE2JS } from 're2js';

/** A longer pattern is no longer read by anyone who has to answer for it. Characters are UTF-16 code units. */
const MAX_PATTERN_LENGTH = 10_000;

/**
 * Steps per character of text are bounded by the size of the compiled program. `.{1,1000}` compiles to about 2,000
 * instructions, so that every single repeat that RE2 accepts still fits.
 */
const MAX_PROGRAM_SIZE = 2_500;

export type CompiledRegex = { readonly ok: true; test(text: string): boolean } | { readonly ok: false; readonly reason: string };

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
  return { ok: true, test: (text) => compiled.test(text) };
}
