import { describe, expect, it } from 'vitest';
import { add, compareDecimals, decimalOf, formatDecimal, parseDecimal, subtract } from './decimal.ts';
import type { Decimal } from './decimal.ts';

function decimal(text: string): Decimal {
  const value = parseDecimal(text);
  if (value === null) throw new Error(text);
  return value;
}

describe('decimals', () => {
  it.each([
    ['0', '0'], ['-0', '0'], ['007', '7'], ['1.50', '1.5'], ['.5', '0.5'], ['5.', '5'], ['-0.05', '-0.05'], ['1e3', '1000'], ['1.5e-3', '0.0015'], ['1e+21', '1000000000000000000000'], ['+2', '2'],
    ['9007199254740993', '9007199254740993'],
  ])('reads %s as %s', (text, formatted) => {
    expect(formatDecimal(decimal(text))).toBe(formatted);
  });

  it.each(['', '.', '-', 'e5', '1e', '1_000', '0x10', ' 1', '1 ', 'NaN', '+Inf', 'Infinity', '1e9999', '1e-9999', '１', '1'.repeat(2000)])('does not read %j', (text) => {
    expect(parseDecimal(text)).toBeNull();
  });

  it('adds, subtracts and compares exactly', () => {
    expect(formatDecimal(add(decimal('0.1'), decimal('0.2')))).toBe('0.3');
    expect(formatDecimal(subtract(decimal('1'), decimal('0.9')))).toBe('0.1');
    expect(formatDecimal(add(decimal('9007199254740992'), decimal('1')))).toBe('9007199254740993');
    expect([compareDecimals(decimal('1.0'), decimal('1')), compareDecimals(decimal('-1'), decimal('0.5')), compareDecimals(decimal('2'), decimal('1.999'))]).toEqual([0, -1, 1]);
  });

  it('takes a double at its shortest text, and none that is not finite', () => {
    expect([0.1, 1e21, 5e-324, -0, 1e308, 123.456].map((value) => Number(formatDecimal(decimalOf(value) ?? decimal('7'))))).toEqual([0.1, 1e21, 5e-324, 0, 1e308, 123.456]);
    expect([NaN, Infinity, -Infinity].map(decimalOf)).toEqual([null, null, null]);
  });
});
