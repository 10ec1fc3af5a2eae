import { describe, expect, it } from 'vitest';
import { resolveScalar } from './scalar.ts';
import type { ScalarTag } from './scalar.ts';
import { rfc3339Ms } from './timestamp.ts';

/** `kind value` of a plain scalar. */
function plain(text: string): string {
  return shown(resolveScalar(text, true, null));
}

function shown(value: ReturnType<typeof resolveScalar>): string {
  if (value === null) return 'refused';
  return value.kind === 'null' ? 'null' : `${value.kind} ${String(value.value)}`;
}

describe('plain scalars resolve as in Go', () => {
  it.each([
    ['', 'null'], ['~', 'null'], ['null', 'null'], ['NULL', 'null'], ['nULL', 'string nULL'],
    ['true', 'bool true'], ['TRUE', 'bool true'], ['False', 'bool false'], ['tRue', 'string tRue'],
    ['yes', 'string yes'], ['on', 'string on'], ['n', 'string n'],
    ['0', 'int 0'], ['-0', 'int 0'], ['+5', 'int 5'], ['007', 'int 7'], ['010', 'int 8'], ['0o10', 'int 8'], ['0O10', 'int 8'], ['-0b101', 'int -5'], ['0x1F', 'int 31'],
    ['0X1f', 'int 31'], ['-0x10', 'int -16'], ['1_000', 'int 1000'], ['1__0_', 'int 10'], ['_1', 'string _1'], ['0x', 'string 0x'], ['0b2', 'string 0b2'], ['-', 'string -'], ['+', 'string +'],
    ['0b-11', 'int -3'], ['0b+1_1', 'int 3'], ['0o-7', 'int -7'], ['0o+17', 'int 15'], ['-0b-11', 'string -0b-11'], ['0B-11', 'string 0B-11'], ['0x-11', 'string 0x-11'], ['0b--1', 'string 0b--1'],
    ['0o+1777777777777777777777', 'string 0o+1777777777777777777777'], ['0o-1000000000000000000000', 'int -9223372036854775808'],
    ['9223372036854775807', 'int 9223372036854775807'], ['-9223372036854775808', 'int -9223372036854775808'],
    ['9223372036854775808', 'uint 9223372036854775808'], ['18446744073709551615', 'uint 18446744073709551615'], ['0xFFFFFFFFFFFFFFFF', 'uint 18446744073709551615'],
    ['+9223372036854775808', 'float 9223372036854776000'], ['18446744073709551616', 'float 18446744073709552000'], ['-9223372036854775809', 'float -9223372036854776000'],
    ['0xFFFFFFFFFFFFFFFFF', 'string 0xFFFFFFFFFFFFFFFFF'],
    ['0888', 'float 888'], ['5.', 'float 5'], ['.5', 'float 0.5'], ['-.5', 'float -0.5'], ['1e3', 'float 1000'], ['6.8e+5', 'float 680000'], ['1_0.5', 'float 10.5'], ['-0.0', 'float -0'],
    ['._5', 'string ._5'], ['.', 'string .'], ['1e400', 'string 1e400'], ['1_0e400', 'string 1_0e400'], ['1e-400', 'float 0'], ['1e', 'string 1e'],
    ['.inf', 'float +Inf'], ['+.INF', 'float +Inf'], ['-.Inf', 'float -Inf'], ['.nan', 'float NaN'], ['.nAn', 'string .nAn'], ['inf', 'string inf'], ['NaN', 'string NaN'],
    ['12:30', 'string 12:30'], ['1.2.3', 'string 1.2.3'], ['5/hour', 'string 5/hour'],
    ['2024-01-15', 'timestamp 2024-01-15 00:00:00 +0000 UTC'], ['2024-1-5', 'timestamp 2024-01-05 00:00:00 +0000 UTC'],
    ['2024-1-5T10:0:0Z', 'timestamp 2024-01-05 10:00:00 +0000 UTC'], ['2024-01-15t10:00:00.500Z', 'timestamp 2024-01-15 10:00:00.5 +0000 UTC'],
    ['2024-01-15 10:00:00', 'timestamp 2024-01-15 10:00:00 +0000 UTC'], ['2024-01-15 10:00:00Z', 'string 2024-01-15 10:00:00Z'], ['2024-01-15T10:00:00', 'string 2024-01-15T10:00:00'],
    ['2024-01-15T10:00:00+02:00', 'timestamp 2024-01-15 10:00:00 +0200 +0200'], ['2024-02-30', 'string 2024-02-30'], ['2024-02-29', 'timestamp 2024-02-29 00:00:00 +0000 UTC'], ['2023-02-29', 'string 2023-02-29'],
    ['2024-13-01', 'string 2024-13-01'], ['2024-01-15T24:00:00Z', 'string 2024-01-15T24:00:00Z'], ['24-01-15', 'string 24-01-15'],
  ])('%s', (text, expected) => {
    expect(plain(text)).toBe(expected);
  });

  it('takes quoted scalars as texts', () => {
    for (const text of ['5', 'true', '', '~', '2024-01-15']) expect(resolveScalar(text, false, null)).toEqual({ kind: 'string', value: text });
  });

  it.each<[ScalarTag, string, string]>([
    ['str', '5', 'string 5'], ['str', '', 'string '], ['int', '1', 'int 1'], ['int', '1.0', 'refused'], ['int', 'abc', 'refused'], ['float', '5', 'float 5'], ['float', '1e3', 'float 1000'],
    ['float', '9223372036854775808', 'refused'], ['bool', 'True', 'bool true'], ['bool', 'yes', 'refused'], ['null', '', 'null'], ['null', 'x', 'refused'], ['int', '2024-01-15', 'refused'],
  ])('!!%s %s', (tag, text, expected) => {
    expect(shown(resolveScalar(text, false, tag))).toBe(expected);
    expect(shown(resolveScalar(text, true, tag))).toBe(expected);
  });

  it('keeps any number of digits from taking long', () => {
    for (const text of ['1'.repeat(1_000_000), `0x${'f'.repeat(1_000_000)}`, '1_'.repeat(500_000), `${'9'.repeat(1_000_000)}.5`]) plain(text);
  });
});

it.each([
  ['2026-01-05T12:00:00Z', Date.UTC(2026, 0, 5, 12)],
  ['2026-01-05T12:00:00.123456789+02:00', Date.UTC(2026, 0, 5, 10, 0, 0, 123)],
  ['2026-01-05', null],
  ['2026-02-30T12:00:00Z', null],
  ['2026-01-05T12:00:00', null],
  ['tomorrow', null],
])('the clock of a test reads %s', (text, expected) => {
  expect(rfc3339Ms(text)).toBe(expected);
});
