/** The small shapes that several requests share, each with its bounds. */
import { z } from '@hono/zod-openapi';

/** Longest of anything that somebody may look up by name: ids, globs, policy ids. */
const MAX_NAME = 512;
/** A paragraph: what an auditor reads, not a report. */
const MAX_REASON = 2_000;
/** More than any incident needs; keeps the restriction in one small event. */
const MAX_GLOBS = 100;
/** More labels than any host has. */
const MAX_LABELS = 64;
/** No control characters: names end up on terminals. */
const PLAIN = /^[^\u0000-\u001f\u007f]*$/;
/** As many as a safe integer has at most. */
const DIGITS = /^\d{1,16}$/;
/** As Kubernetes writes label keys; `__proto__` is none. */
const LABEL_KEY = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/;

/** A whole number in a query or path, in digits: what else JavaScript takes for a number (nothing, `0x10`, `1e3`) nobody meant. */
export function wholeBetween(min: number, max: number) {
  return z.string().regex(DIGITS, 'must be a whole number').transform(Number).pipe(z.number().int().min(min).max(max)).openapi({ type: 'integer', minimum: min, maximum: max });
}

export const whole = wholeBetween(0, Number.MAX_SAFE_INTEGER);
export const version = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
export const name = z.string().min(1).max(MAX_NAME).regex(PLAIN, 'must not hold control characters');
export const reason = z.string().trim().min(1, 'must say why').max(MAX_REASON);
export const globs = z.array(name).max(MAX_GLOBS);

const labelKey = z.string().regex(LABEL_KEY, 'must be letters, digits, `.`, `_`, `-` and `/`, at most 63');

/** What a host carries. */
export const labels = z.record(labelKey, name).refine(few, `at most ${MAX_LABELS} labels`);

/** What a selector asks for: each label with the globs that it may match. */
export const labelGlobs = z.record(labelKey, globs.min(1)).refine(few, `at most ${MAX_LABELS} labels`);

function few(record: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(record).length <= MAX_LABELS;
}
