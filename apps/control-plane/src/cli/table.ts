/** Tables that fit a terminal. */
import { printable, shorten } from './printable.ts';
import { WIDTH } from './wrap.ts';

const GAP = '  ';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** The column gives way to the others down to this many characters; without it, it never shrinks. */
  readonly least?: number;
}

/**
 * Renders rows under titles, at most 100 columns wide: the columns that may shrink give up their longest cells first.
 * Cells are made printable. No rows give an empty list of lines.
 */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): readonly string[] {
  if (rows.length === 0) return [];
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))));
  const natural = columns.map((column, index) => Math.max(column.title.length, ...cells.map((line) => length(line[index] ?? ''))));
  const widths = fit(columns, natural);
  return [columns.map((column) => column.title), ...cells].map((line) =>
    line
      .map((cell, index) => pad(shorten(cell, widths[index] ?? 0), widths[index] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
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
