/** Exact decimal numbers for counting: what is spent adds up to the cent, at any size. */

/** The number is `units` divided by 10 to the power of `scale`; `scale` is never negative. */
export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

export const ZERO: Decimal = { units: 0n, scale: 0 };

/** Doubles reach from 5e-324 to 1.8e308; nothing that a policy or a call can hold lies beyond. */
const MAX_EXPONENT = 400;
const MAX_DIGITS = 1_000;

const DECIMAL_TEXT = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/;

/** Reads `12`, `-0.5`, `1e+21`; null for anything else (also `NaN` and `+Inf`) and for what is absurdly long. */
export function parseDecimal(text: string): Decimal | null {
  if (text.length > MAX_DIGITS) return null;
  const match = DECIMAL_TEXT.exec(text);
  if (match === null) return null;
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = match;
  const digits = whole + fraction;
  const exponent = Number(exponentText);
  if (digits === '' || Math.abs(exponent) > MAX_EXPONENT) return null;
  const units = BigInt(digits) * (sign === '-' ? -1n : 1n);
  const scale = fraction.length - exponent;
  return reduced(scale >= 0 ? { units, scale } : { units: units * 10n ** BigInt(-scale), scale: 0 });
}

/** The decimal that the shortest text of a finite double stands for; null for NaN and infinities. */
export function decimalOf(value: number): Decimal | null {
  if (Number.isSafeInteger(value)) return { units: BigInt(value), scale: 0 };
  return Number.isFinite(value) ? parseDecimal(String(value)) : null;
}

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return reduced({ units: scaled(a, scale) + scaled(b, scale), scale });
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  return add(a, { units: -b.units, scale: b.scale });
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale);
  const difference = scaled(a, scale) - scaled(b, scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Plain decimal text without exponent or trailing zeros: `1000000`, `0.99`. */
export function formatDecimal(value: Decimal): string {
  if (value.scale === 0) return value.units.toString();
  const negative = value.units < 0n;
  const digits = (negative ? -value.units : value.units).toString().padStart(value.scale + 1, '0');
  const point = digits.length - value.scale;
  return `${negative ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`;
}

function scaled(value: Decimal, scale: number): bigint {
  return scale === value.scale ? value.units : value.units * 10n ** BigInt(scale - value.scale);
}

/** Without trailing zeros after the point, so that equal numbers have equal texts. */
function reduced(value: Decimal): Decimal {
  let { units, scale } = value;
  while (scale > 0 && units % 10n === 0n) {
    units /= 10n;
    scale--;
  }
  return { units, scale };
}
