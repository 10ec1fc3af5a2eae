import { describe, expect, it } from 'vitest';
import { duration, hostLabel, labelGlob, moment, wholeNumber } from './arguments.ts';

describe('what people type', () => {
  it('reads durations, bare numbers as seconds', () => {
    expect(['10', '90s', '15m', '1h', '2d', '250ms'].map(duration)).toEqual([10_000, 90_000, 900_000, 3_600_000, 172_800_000, 250]);
    for (const bad of ['', 'h', '-1s', '1.5h', '1 h', '1w', '9999999999s', '1e3']) expect(() => duration(bad), bad).toThrow();
  });

  it('reads whole numbers and moments with their zone', () => {
    expect(wholeNumber('0')).toBe(0);
    for (const bad of ['-1', '1.0', '0x1', '', '1'.repeat(20)]) expect(() => wholeNumber(bad), bad).toThrow();
    expect(moment('2026-01-05T13:00:00+01:00')).toBe(Date.UTC(2026, 0, 5, 12));
    for (const bad of ['2026-01-05', '2026-01-05T12:00:00', 'now', '2026-13-05T12:00:00Z']) expect(() => moment(bad), bad).toThrow();
  });

  it('reads labels: one value a host, several a selector', () => {
    expect(hostLabel('env=prod=1', undefined)).toEqual({ env: 'prod=1' });
    expect(() => hostLabel('env=b', { env: 'a' })).toThrow(/twice/);
    expect(labelGlob('env=b', labelGlob('env=a', undefined))).toEqual({ env: ['a', 'b'] });
    expect(labelGlob('constructor=a', {})).toEqual({ constructor: ['a'] });
    for (const bad of ['env', '=a', 'env=']) expect(() => hostLabel(bad, undefined), bad).toThrow();
  });
});
