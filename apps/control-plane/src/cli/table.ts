/** Tables that fit a terminal. */
import { printable, shorten } from './printable.ts';
import { WIDTH, wrapped } from './wrap.ts';

const GAP = '  ';
/** How far in a wrapped cell goes on, at most: a path of a policy fits beside it unbroken. */
const MAX_HANGING = 30;

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** The column gives way to the others down to this many characters; without it, it never shrinks. */
  readonly least?: number;
  /** For the last column: what is too long goes on in further lines below it, instead of being cut off. */
  readonly wraps?: true;
}

/**
 * Renders rows under titles, at most 100 columns wide: the columns that may shrink give up their longest cells first.
 * Cells are made printable. No rows give an empty list of lines.
 */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): readonly string[] {
  if (rows.length === 0) return [];
  const { titles, lines } = tableRows(columns, rows);
  return [titles, ...lines.flat()];
}

/** The same, with each row's lines by themselves. */
export function tableRows<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): { readonly titles: string; readonly lines: readonly (readonly string[])[] } {
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))));
  // Spread over arguments, a fleet of proxies would be too many of them.
  const natural = columns.map((column, index) => cells.reduce((most, line) => Math.max(most, length(line[index] ?? '')), column.title.length));
  const widths = fit(columns, natural);
  const whole = (index: number): boolean => columns[index]?.wraps === true;
  const joined = (line: readonly string[]): string => line.map((cell, index) => (whole(index) ? cell : pad(shorten(cell, widths[index] ?? 0), widths[index] ?? 0))).join(GAP).trimEnd();
  const start = Math.min(MAX_HANGING, widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0));
  return { titles: joined(columns.map(({ title }) => title)), lines: cells.map((line) => (columns.at(-1)?.wraps === true ? wrapped(joined(line), WIDTH, start) : [joined(line)])) };
}

function fit<Row>(columns: readonly Column<Row>[], natural: readonly number[]): readonly number[] {
  const widths = [...natural];
  let over = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (columns.length - 1) - WIDTH;
  while (over > 0) {
    const widest = widestThatMayShrink(columns, widths);
    if (widest === undefined) return widths;
    widths[widest] = (widths[widest] ?? 0) - 1;
    over -= 1;
  }
  return widths;
}

function widestThatMayShrink<Row>(columns: readonly Column<Row>[], widths: readonly number[]): number | undefined {
  let found: number | undefined;
  columns.forEach((column, index) => {
    const width = widths[index] ?? 0;
    if (column.least === undefined || width <= Math.max(column.least, column.title.length)) return;
    if (found === undefined || width > (widths[found] ?? 0)) found = index;
  });
  return found;
}

function length(text: string): number {
  return Array.from(text).length;
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - length(text)));
}

/** `3 s`, `12 min`, `5 h`, `8 d`: how long something has been so. */
export function ago(fromMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - fromMs) / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 72 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

/** A moment as people write it down: UTC, to the second. */
export function moment(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

/** `1 host`, `2 hosts`; `many` where the plural is another. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
