/**
 * A policy file as bytes, made text or refused. What passes is UTF-8 of bounded size with nothing in it that two YAML
 * readers see differently: no control characters, no line breaks but LF and CRLF, nothing that hides or reorders text.
 */
import type { ProblemCode } from '../problem.ts';

/** A policy text is one payload of the log (DESIGN section 5). */
export const MAX_POLICY_BYTES = 1024 * 1024;

export type SourceText =
  | { readonly ok: true; readonly text: string }
  /** `text` is what could be decoded, so that the place can be shown. */
  | { readonly ok: false; readonly text: string; readonly faults: readonly SourceFault[] };

export interface SourceFault {
  readonly code: ProblemCode;
  readonly offset: number;
  readonly message: string;
}

/** Decodes a policy file. A byte order mark is dropped; columns count from what follows it. */
export function decodeSource(bytes: Uint8Array): SourceText {
  if (bytes.length > MAX_POLICY_BYTES) {
    return refuse('', 'FILE_TOO_LARGE', 0, `the file has ${bytes.length} bytes and a policy may have ${MAX_POLICY_BYTES}: split it into several policies`);
  }
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return refuse('', 'FILE_NOT_UTF8', 0, 'the file is UTF-16: save it as UTF-8');
  }
  const content = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
  const text = decoded(content);
  if (text === null) return invalidUtf8(content);
  const faults = characterFaults(text);
  return faults.length === 0 ? { ok: true, text } : { ok: false, text, faults };
}

function decoded(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Finds the first byte that is not UTF-8 by halving: a prefix decodes as a stream if and only if the fault lies behind it. */
function invalidUtf8(bytes: Uint8Array): SourceText {
  let good = 0;
  let bad = bytes.length;
  while (good < bad) {
    const middle = Math.ceil((good + bad) / 2);
    if (validPrefix(bytes.subarray(0, middle)) === null) bad = middle - 1;
    else good = middle;
  }
  const text = validPrefix(bytes.subarray(0, good)) ?? '';
  return refuse(text, 'FILE_NOT_UTF8', text.length, `the file is not UTF-8 from byte ${good + 1} on: save it as UTF-8`);
}

function validPrefix(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return null;
  }
}

/** One of each kind is enough to say what is wrong with a file. */
const CHARACTER_FAULTS: readonly { readonly pattern: RegExp; readonly message: string }[] = [
  { pattern: /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]/, message: 'a control character: remove it, or write it as an escape in double quotes' },
  { pattern: /\r(?!\n)/, message: 'a carriage return without a line feed: YAML readers disagree about what it ends; use LF or CRLF line ends' },
  { pattern: /[\u0085\u2028\u2029]/, message: 'a Unicode line separator: YAML readers disagree about whether a line ends here; write it as an escape in double quotes' },
  { pattern: /[\u202a-\u202e\u2066-\u2069\ufeff]/, message: 'an invisible character that can make a text look like another: remove it, or write it as an escape in double quotes' },
];

function characterFaults(text: string): readonly SourceFault[] {
  return CHARACTER_FAULTS.flatMap(({ pattern, message }) => {
    const offset = text.search(pattern);
    if (offset === -1) return [];
    const codePoint = (text.codePointAt(offset) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return [{ code: 'YAML_SYNTAX' as const, offset, message: `U+${codePoint} is ${message}` }];
  });
}

function refuse(text: string, code: ProblemCode, offset: number, message: string): SourceText {
  return { ok: false, text, faults: [{ code, offset, message }] };
}
