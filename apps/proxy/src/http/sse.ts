/**
 * Server-sent events out of chunks, as the WHATWG standard reads them (CR, LF and CRLF end lines, a byte order mark may begin
 * the stream), and back into bytes in one form only, so that no other reader can find other events in them (P2).
 */
import { isUtf8 } from 'node:buffer';

export interface SseEvent {
  /** Lines of the event that are not data, as they were written, each with a line feed: id, event, retry. */
  readonly fields: string;
  /** Empty where the event does not say: a message. */
  readonly type: string;
  /** Null where the event has none. */
  readonly id: string | null;
  readonly retryMs: number | null;
  /** One line with its line feed, ready to be read as a message; null for an event without data. */
  readonly data: Buffer | null;
}

export interface SseHandlers {
  event(event: SseEvent): void;
  /** A line that is for nobody but keeps the connection alive. */
  comment(line: string): void;
  /** The data of an event is above the cap and was thrown away; these are its first and last bytes. */
  tooLong(ends: { readonly head: Buffer; readonly tail: Buffer }): void;
}

export interface SseReader {
  push(chunk: Buffer): void;
  /** The stream has ended. An event without its blank line is none. */
  end(): void;
}

/** Fields and comments are small; a longer one is a payload in disguise. */
const MAX_FIELD_BYTES = 4096;
const KEPT_END_BYTES = 4096;
const CR = 13;
const LF = 10;
const LINE_FEED = Buffer.from('\n');
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Events with at most `maxBytes` of data. Linear in the bytes, whatever the chunks are. */
export function createSseReader(maxBytes: number, handlers: SseHandlers): SseReader {
  let line: Buffer[] = [];
  let lineSize = 0;
  let afterCr = false;
  let first = true;
  let event = newEvent();

  function hold(piece: Buffer): void {
    if (piece.length === 0) return;
    // What is beyond the cap is only looked at for its end.
    if (lineSize > maxBytes + MAX_FIELD_BYTES) {
      event.overflowTail = lastOf(Buffer.concat([event.overflowTail ?? Buffer.alloc(0), lastOf(piece)]));
      return;
    }
    line.push(piece);
    lineSize += piece.length;
  }

  function endLine(): void {
    let bytes = line.length === 1 && line[0] !== undefined ? line[0] : Buffer.concat(line);
    line = [];
    lineSize = 0;
    if (first) {
      first = false;
      if (bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)) bytes = bytes.subarray(3);
    }
    if (bytes.length === 0) return dispatch();
    takeLine(event, bytes, maxBytes, handlers);
  }

  function dispatch(): void {
    const done = event;
    event = newEvent();
    if (done.ends !== null) return handlers.tooLong({ head: done.ends.head, tail: done.overflowTail ?? done.ends.tail });
    // An event of one empty data line carries an id (a priming event) but no message.
    const data = done.size === 0 ? null : asLine(done.data);
    if (data === null && done.fields === '') return;
    handlers.event({ fields: done.fields, type: done.type, id: done.id, retryMs: done.retryMs, data });
  }

  return {
    push(chunk) {
      let start = 0;
      if (afterCr && chunk[0] === LF) start = 1;
      if (chunk.length > 0) afterCr = false;
      let cr = chunk.indexOf(CR, start);
      while (start < chunk.length) {
        if (cr >= 0 && cr < start) cr = chunk.indexOf(CR, start);
        const lf = chunk.indexOf(LF, start);
        const end = cr >= 0 && (lf < 0 || cr < lf) ? cr : lf;
        if (end < 0) break;
        hold(chunk.subarray(start, end));
        endLine();
        start = end + 1;
        if (end !== cr) continue;
        if (start === chunk.length) afterCr = true;
        else if (chunk[start] === LF) start++;
      }
      hold(chunk.subarray(start));
    },
    end() {
      line = [];
      event = newEvent();
    },
  };
}

interface Gathered {
  fields: string;
  type: string;
  id: string | null;
  retryMs: number | null;
  data: Buffer[];
  size: number;
  ends: { readonly head: Buffer; readonly tail: Buffer } | null;
  overflowTail: Buffer | null;
}

function newEvent(): Gathered {
  return { fields: '', type: '', id: null, retryMs: null, data: [], size: 0, ends: null, overflowTail: null };
}

function takeLine(event: Gathered, bytes: Buffer, maxBytes: number, handlers: SseHandlers): void {
  const colon = bytes.subarray(0, MAX_FIELD_BYTES).indexOf(58);
  const name = bytes.toString('latin1', 0, colon < 0 ? Math.min(bytes.length, MAX_FIELD_BYTES) : colon);
  const value = colon < 0 ? bytes.subarray(bytes.length) : bytes.subarray(bytes[colon + 1] === 32 ? colon + 2 : colon + 1);
  if (name === 'data') return takeData(event, value, maxBytes);
  if (bytes.length > MAX_FIELD_BYTES || !isUtf8(bytes)) return;
  if (colon === 0) return handlers.comment(`${bytes.toString('utf8')}\n`);
  const text = value.toString('utf8');
  if (name === 'event') event.type = text;
  else if (name === 'id') {
    // The standard ignores an id with NUL.
    if (text.includes('\0')) return;
    event.id = text;
  } else if (name === 'retry') {
    if (!/^[0-9]{1,10}$/.test(text)) return;
    event.retryMs = Number(text);
  } else return;
  event.fields += `${name}: ${text}\n`;
  if (event.fields.length > 4 * MAX_FIELD_BYTES) event.fields = '';
}

function takeData(event: Gathered, value: Buffer, maxBytes: number): void {
  if (event.ends === null && event.size + value.length <= maxBytes) {
    if (event.data.length > 0) event.data.push(LINE_FEED);
    event.data.push(value);
    event.size += value.length + (event.data.length > 1 ? 1 : 0);
    return;
  }
  const all = event.ends === null ? [...event.data, value] : [value];
  const head = event.ends?.head ?? Buffer.from(Buffer.concat(all.slice(0, 2)).subarray(0, KEPT_END_BYTES));
  event.ends = { head, tail: lastOf(value) };
  event.data = [];
}

function lastOf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.subarray(Math.max(0, bytes.length - KEPT_END_BYTES)));
}

/**
 * One message that may be written over several lines, as one line with its line feed. Line ends inside JSON are white space:
 * inside its strings they are not allowed.
 */
export function asLine(pieces: readonly Buffer[]): Buffer {
  const line = Buffer.concat([...pieces, LINE_FEED]);
  const body = line.subarray(0, line.length - 1);
  for (const end of [LF, CR]) {
    for (let at = body.indexOf(end); at >= 0; at = body.indexOf(end, at + 1)) body[at] = 32;
  }
  return line;
}

/** An event with this message as its data; `fields` are lines of their own. Pieces, so that nothing large is copied. */
export function eventOf(fields: string, line: Buffer | string): readonly (Buffer | string)[] {
  return [`${fields}data: `, line, '\n'];
}
