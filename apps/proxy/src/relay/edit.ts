/** Changes to a line, as byte ranges and what stands there instead. Everything outside them stays as it was written. */
import type { Range } from './outline.ts';

export interface Edit extends Range {
  readonly text: string;
}

/** The bytes with the edits made. Edits do not overlap; their order does not matter. */
export function applyEdits(bytes: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return bytes;
  const pieces: Buffer[] = [];
  let at = 0;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    pieces.push(bytes.subarray(at, edit.start), Buffer.from(edit.text));
    at = edit.end;
  }
  pieces.push(bytes.subarray(at));
  return Buffer.concat(pieces);
}

/** Cuts the elements of one array that are not kept, each with one comma. */
export function cutElements(elements: readonly Range[], keep: (index: number) => boolean): Edit[] {
  const edits: Edit[] = [];
  let lastKept: Range | null = null;
  let previous: Range | null = null;
  for (const [index, element] of elements.entries()) {
    if (keep(index)) lastKept = element;
    else if (lastKept !== null) edits.push({ start: previous?.end ?? element.start, end: element.end, text: '' });
    else edits.push({ start: element.start, end: elements[index + 1]?.start ?? element.end, text: '' });
    previous = element;
  }
  return edits;
}

/** Writes a new first member into the object at `range`. */
export function insertMember(bytes: Buffer, range: Range, member: string): Edit {
  const at = range.start + 1;
  const rest = bytes.toString('latin1', at, Math.min(range.end, at + 64)).trimStart();
  // Whitespace longer than that is still no member; a comma too many would not be JSON, so look further only then.
  const empty = rest === '' ? bytes.toString('latin1', at, range.end).trim() === '}' : rest.startsWith('}');
  return { start: at, end: at, text: empty ? member : `${member},` };
}
