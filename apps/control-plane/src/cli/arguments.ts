/** What people type: durations, labels, versions. Each reader refuses with a sentence that commander shows with the option's name. */
import { InvalidArgumentError } from 'commander';
import { EVENT_TYPES } from '../domain/events.ts';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `1h`, `2d`; a bare number is seconds. Milliseconds. */
export function duration(text: string): number {
  const [, amount, unit = 's'] = /^(\d{1,9})(ms|s|m|h|d)?$/.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  if (amount === undefined || unitMs === undefined) throw new InvalidArgumentError('Write a number and a unit: 90s, 15m, 1h, 2d.');
  return Number(amount) * unitMs;
}

/** An RFC 3339 moment with its zone; milliseconds since 1970. */
export function moment(text: string): number {
  const ms = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms) || ms < 0) throw new InvalidArgumentError('Write a moment with its zone: 2026-01-05T12:00:00Z.');
  return ms;
}

/** A whole number from 0. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Write a whole number.');
  return Number(text);
}

/** The type of an event, in any case, repeatable. */
export function eventType(text: string, before: readonly string[] | undefined): readonly string[] {
  const found = [...EVENT_TYPES].find((type) => type.toLowerCase() === text.toLowerCase());
  if (found === undefined) throw new InvalidArgumentError(`There is no such type. There are: ${[...EVENT_TYPES].join(', ')}.`);
  return [...(before ?? []), found];
}

export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

/** `k=v`, repeatable, for what a host carries: one value a label. */
export function hostLabel(text: string, before: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  const { key, value } = keyAndValue(text);
  if (before !== undefined && Object.hasOwn(before, key)) throw new InvalidArgumentError(`The label ${key} is given twice.`);
  return { ...before, [key]: value };
}

/** `k=v`, repeatable, for a selector: the same label again adds a value that it may have. */
export function labelGlob(text: string, before: Readonly<Record<string, readonly string[]>> | undefined): Readonly<Record<string, readonly string[]>> {
  const { key, value } = keyAndValue(text);
  const had = before !== undefined && Object.hasOwn(before, key) ? (before[key] ?? []) : [];
  return { ...before, [key]: [...had, value] };
}

function keyAndValue(text: string): { readonly key: string; readonly value: string } {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('Write a label as key=value.');
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}
