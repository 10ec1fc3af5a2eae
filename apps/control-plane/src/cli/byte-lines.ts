/**
 * The lines of `portcullis eval --calls`, from bytes: a line ends at LF and nowhere else (a CR before it is dropped), and one
 * that is not UTF-8 is no line of text rather than another text.
 */
import { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';

/** As the proxy: it takes no longer message. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;
/** Editors and shells of Windows begin a file with it. */
const BYTE_ORDER_MARK = '\ufeff';

export type Line = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly message: string };

/** Reads to the end, one line at a time, as soon as it is whole. A byte order mark is dropped where it is the very first. */
export async function* linesOf(input: Readable): AsyncGenerator<Line> {
  let first = true;
  for await (const bytes of splitAtLineFeeds(input)) {
    const line = decoded(bytes);
    yield first && line.ok && line.text.startsWith(BYTE_ORDER_MARK) ? { ok: true, text: line.text.slice(1) } : line;
    first = false;
  }
}

/** Null stands for a line that is too long, whose bytes are not kept. */
async function* splitAtLineFeeds(input: Readable): AsyncGenerator<Buffer | null> {
  let parts: Buffer[] = [];
  let length = 0;
  const keep = (bytes: Buffer): void => {
    length += bytes.length;
    if (length <= MAX_LINE_BYTES) parts.push(bytes);
    else parts = [];
  };
  const take = (): Buffer | null => {
    const line = length <= MAX_LINE_BYTES ? Buffer.concat(parts) : null;
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of input as AsyncIterable<Buffer | string>) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    let from = 0;
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, from)) {
      keep(bytes.subarray(from, end));
      yield take();
      from = end + 1;
    }
    if (from < bytes.length) keep(bytes.subarray(from));
  }
  if (length > 0) yield take();
}

function decoded(bytes: Buffer | null): Line {
  if (bytes === null) return { ok: false, message: `a line of more than ${MAX_LINE_BYTES} bytes, which no proxy takes` };
  const end = bytes.at(-1) === CR ? bytes.length - 1 : bytes.length;
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, end)) };
  } catch {
    return { ok: false, message: 'not UTF-8' };
  }
}
