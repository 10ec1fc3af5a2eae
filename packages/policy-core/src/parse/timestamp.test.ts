import { expect, it } from 'vitest';
import { rfc3339Ms } from './timestamp.ts';

it.each([
  ['2026-02-29T12:00:00Z', null],
  ['2028-02-29T12:00:00Z', Date.UTC(2028, 1, 29, 12)],
  ['2026-01-05T24:00:00Z', null],
  ['2026-01-05T12:00:60Z', null],
  ['2026-01-05T12:00:00+24:00', null],
  ['2026-01-05T12:00:00+02:60', null],
  ['2026-01-05 12:00:00Z', null],
  ['2026-01-05t12:00:00z', Date.UTC(2026, 0, 5, 12)],
  ['2026-13-05T12:00:00Z', null],
  ['2026-01-05T12:00:00.Z', null],
  ['2026-01-05T12:00Z', null],
  ['2026-01-05T00:30:00+23:59', Date.UTC(2026, 0, 4, 0, 31)],
])('the moment %s', (text, expected) => {
  expect(rfc3339Ms(text)).toBe(expected);
});
