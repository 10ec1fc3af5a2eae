import { expect, it } from 'vitest';
import { editDistance, nearest } from './suggestion.ts';

it.each([
  ['on_denny', ['on_deny', 'name'], 'on_deny'],
  ['rate-limit', ['rate_limit', 'spend_limit'], 'rate_limit'],
  ['Hour', ['minute', 'hour', 'day'], 'hour'],
  ['conditoins', ['conditions', 'action'], 'conditions'],
  ['banana', ['evaluate', 'deny'], null],
  ['', ['a'], null],
  ['x'.repeat(10_000), ['x'.repeat(64)], null],
])('%s', (word, known, expected) => {
  expect(nearest(word, known)).toBe(expected);
});

it('counts a swap of neighbours as one slip', () => {
  expect(editDistance('hosue', 'house')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
});
