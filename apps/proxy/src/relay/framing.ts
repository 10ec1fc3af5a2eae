/**
 * Lines out of chunks. A chunk list and one concatenation a line, so that a 10 MB line costs what its bytes cost; a line
 * above the cap is thrown away as it arrives, and only its two ends are kept to find out whose it was.
 */
export interface Framing {
  /** Takes the next bytes and hands on each line that they complete, with its line feed. */
  push(chunk: Buffer): void;
  /** The source has ended: hands on what stands after the last line feed, without one. */
  end(): void;
}

export interface FramingEvents {
  /** A line that is not blank. */
  line(line: Buffer): void;
  /** A line above the cap was thrown away; these are its first and last bytes. */
  tooLong(ends: { readonly head: Buffer; readonly tail: Buffer }): void;
}

/** Enough to hold a request id at either end of an envelope. */
const KEPT_END_BYTES = 4096;
const LINE_FEED = 10;

export function createFraming(maxLineBytes: number, events: FramingEvents): Framing {
  let chunks: Buffer[] = [];
  let size = 0;
  /** Set while a line above the cap is being thrown away. */
  let ends: { readonly head: Buffer; tail: Buffer } | null = null;

  function hold(piece: Buffer): void {
    if (ends === null) {
      chunks.push(piece);
      size += piece.length;
      if (size <= maxLineBytes) return;
      ends = { head: copy(take(chunks, KEPT_END_BYTES)), tail: Buffer.alloc(0) };
      piece = Buffer.concat(chunks);
      chunks = [];
    }
    ends.tail = copy(lastOf(Buffer.concat([ends.tail, lastOf(piece)])));
  }

  function finish(): void {
    const done = ends;
    const line = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
    chunks = [];
    size = 0;
    ends = null;
    if (done !== null) events.tooLong(done);
    else if (!isBlank(line)) events.line(line);
  }

  return {
    push(chunk) {
      let start = 0;
      for (let feed = chunk.indexOf(LINE_FEED); feed >= 0; feed = chunk.indexOf(LINE_FEED, start)) {
        hold(chunk.subarray(start, feed + 1));
        finish();
        start = feed + 1;
      }
      if (start < chunk.length) hold(chunk.subarray(start));
    },
    end() {
      if (size > 0 || ends !== null) finish();
    },
  };
}

/** The line without its line end: `\n`, `\r\n` or none. */
export function content(line: Buffer): Buffer {
  let end = line.length;
  if (line[end - 1] === LINE_FEED) end--;
  if (line[end - 1] === 13) end--;
  return line.subarray(0, end);
}

/** Spaces, tabs and line ends only. Such a line holds no message for anyone. */
function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte !== 32 && byte !== 9 && byte !== 13 && byte !== LINE_FEED) return false;
  return true;
}

function take(chunks: readonly Buffer[], bytes: number): Buffer {
  const pieces: Buffer[] = [];
  let left = bytes;
  for (const chunk of chunks) {
    if (left <= 0) break;
    pieces.push(chunk.subarray(0, left));
    left -= chunk.length;
  }
  return Buffer.concat(pieces);
}

function lastOf(bytes: Buffer): Buffer {
  return bytes.subarray(Math.max(0, bytes.length - KEPT_END_BYTES));
}

/** So that a few bytes do not keep a whole chunk alive. */
function copy(bytes: Buffer): Buffer {
  return Buffer.from(bytes);
}
