/**
 * Timestamps as Go's yaml.v3 recognises them in a plain scalar: RFC 3339 with one-digit fields allowed, `t` for `T`,
 * blanks for `T` (then without a zone), or a date alone.
 */

/** Go knows nanoseconds; a longer fraction is out of its range, so the text is none. */
const TIMESTAMP =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?(Z|[+-]\d{2}:\d{2}))|(?: +(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?))?$/;

/**
 * The timestamp as Go prints it (`2024-01-15 00:00:00 +0000 UTC`), or null where the text is none.
 * A zone other than UTC is printed by its offset twice, which is what Go does for a zone without a name.
 */
export function goTimestamp(text: string): string | null {
  const match = TIMESTAMP.exec(text);
  if (match === null) return null;
  const [year, month, day] = [match[1], match[2], match[3]].map(Number) as [number, number, number];
  const [hour, minute, second] = [match[4] ?? match[9], match[5] ?? match[10], match[6] ?? match[11]].map((part) => Number(part ?? 0)) as [number, number, number];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59) return null;
  const fraction = (match[7] ?? match[12] ?? '').replace(/0+$/, '');
  const zone = printedZone(match[8] ?? 'Z');
  const date = [String(year).padStart(4, '0'), two(month), two(day)].join('-');
  return `${date} ${two(hour)}:${two(minute)}:${two(second)}${fraction === '' ? '' : `.${fraction}`} ${zone}`;
}

/** RFC 3339 (section 5.6) without a leap second, which no clock here has; up to nanoseconds. */
const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** A moment with its zone, as the `at` of a test and of a call has it, in milliseconds since 1970; null for anything else. `t` and `z` may be small. */
export function rfc3339Ms(written: string): number | null {
  const text = written.toUpperCase();
  if (!RFC3339.test(text) || goTimestamp(text) === null) return null;
  // Date.parse is exact for three fraction digits only, so the rest is cut off.
  const ms = Date.parse(text.replace(/(\.\d{3})\d+/, '$1'));
  return Number.isNaN(ms) ? null : ms;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function printedZone(zone: string): string {
  if (zone === 'Z' || zone === '+00:00' || zone === '-00:00') return '+0000 UTC';
  // Go bounds neither part, and prints their sum: +00:60 is +0100.
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4));
  const offset = `${zone.slice(0, 1)}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`;
  return `${offset} ${offset}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
