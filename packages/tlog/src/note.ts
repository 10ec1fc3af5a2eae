/**
 * C2SP signed notes: a text, a blank line, and signature lines. The text is not to be believed, so not given out, before one of the
 * reader's own keys has verified over its exact bytes.
 */
import { decodeBase64, encodeBase64 } from './base64.ts';
import { isKeyName, verifySignature } from './key.ts';
import type { Signer, VerifierKey } from './key.ts';
import { refused } from './problem.ts';
import type { Refused } from './problem.ts';

/** Sixteen signatures of a post-quantum kind, which readers must accept, take about 110 kB; this leaves room for a text. */
export const MAX_NOTE_BYTES = 256 * 1024;

/** Readers must accept 16. Each line of a known key costs a verification, so there is an end to them. */
export const MAX_NOTE_SIGNATURES = 64;

/** U+2014, the em dash: a hyphen does not begin a signature. */
const SIGNATURE_MARK = '\u2014 ';

const ID_BYTES = 4;
const WHERE = 'note';

/** One key or several, any of which may have signed: several while a key is being replaced. */
export type VerifierKeys = VerifierKey | readonly VerifierKey[];

export type OpenedNote =
  | {
      readonly ok: true;
      /** What was signed, with its last newline. */
      readonly text: string;
      /** Keys that verified: at least one. */
      readonly signedBy: readonly VerifierKey[];
      /** Names of signature lines under keys that the reader does not know; they prove nothing. */
      readonly unknown: readonly string[];
    }
  | Refused;

/** The note of a text under one or more signers. The text ends in a newline and has no other control characters, or it is a bug. */
export function signNote(text: string, signers: Signer | readonly Signer[]): string {
  if (!text.endsWith('\n') || !isNoteText(text)) throw new RangeError('a note text ends in a newline and has no other control characters');
  const message = Buffer.from(text, 'utf8');
  const lines = ('sign' in signers ? [signers] : signers).map((signer) => {
    const { name, id } = signer.verifierKey;
    return `${SIGNATURE_MARK}${name} ${encodeBase64(Buffer.concat([Buffer.from(id, 'hex'), signer.sign(message)]))}\n`;
  });
  if (lines.length === 0) throw new RangeError('a note has at least one signature');
  return `${text}\n${lines.join('')}`;
}

/**
 * Reads a note and checks its signatures. Refuses one that is too large, not a note, not signed by any of `keys`, or that carries
 * a line under one of `keys` that does not verify, even beside another that does.
 */
export function openNote(note: string | Uint8Array, keys: VerifierKeys): OpenedNote {
  const decoded = decodeNote(note);
  if (!decoded.ok) return decoded;
  // The text may hold blank lines itself; the last one ends it.
  const end = decoded.text.lastIndexOf('\n\n');
  if (end < 0) return malformed('there is no blank line between a text and its signatures');
  const text = decoded.text.slice(0, end + 1);
  const tail = decoded.text.slice(end + 2);
  if (!tail.endsWith('\n')) return malformed('the last signature line is cut short');
  const lines = tail.slice(0, -1).split('\n');
  if (lines.length > MAX_NOTE_SIGNATURES) return refused('NOTE_TOO_LARGE', WHERE, `it has over ${MAX_NOTE_SIGNATURES} signatures; fetch it again from the log itself`);
  return checkLines(text, lines, 'publicKey' in keys ? [keys] : keys);
}

function checkLines(text: string, lines: readonly string[], keys: readonly VerifierKey[]): OpenedNote {
  const message = Buffer.from(text, 'utf8');
  const signedBy: VerifierKey[] = [];
  const unknown: string[] = [];
  for (const line of lines) {
    const parsed = parseLine(line);
    if (parsed === undefined) return malformed('a line after the last blank line is not a signature');
    const key = keys.find((one) => one.name === parsed.name && one.id === parsed.id);
    if (key === undefined) {
      unknown.push(parsed.name);
      continue;
    }
    if (!verifySignature(key, message, parsed.signature)) {
      return refused('SIGNATURE_WRONG', WHERE, `the signature of \`${key.name}\` (${key.id}) does not verify: the text was altered, or another key signed it; keep it as evidence`);
    }
    if (!signedBy.includes(key)) signedBy.push(key);
  }
  if (signedBy.length > 0) return { ok: true, text, signedBy, unknown };
  return refused('SIGNATURE_MISSING', WHERE, `none of the keys asked for signed it (${keys.map((key) => `${key.name}+${key.id}`).join(', ')}); check that the key belongs to this log`);
}

function parseLine(line: string): { readonly name: string; readonly id: string; readonly signature: Uint8Array } | undefined {
  if (!line.startsWith(SIGNATURE_MARK)) return undefined;
  const [name, encoded, ...more] = line.slice(SIGNATURE_MARK.length).split(' ');
  if (name === undefined || encoded === undefined || more.length > 0 || !isKeyName(name)) return undefined;
  const bytes = decodeBase64(encoded);
  if (bytes === undefined || bytes.length <= ID_BYTES) return undefined;
  return { name, id: Buffer.from(bytes.subarray(0, ID_BYTES)).toString('hex'), signature: bytes.subarray(ID_BYTES) };
}

/** The characters of a note, where its bytes are UTF-8 that reads back the same and hold no control character but newline. */
function decodeNote(note: string | Uint8Array): { readonly ok: true; readonly text: string } | Refused {
  // Four bytes a character at most, so a longer string is refused before it is encoded.
  if (note.length > MAX_NOTE_BYTES) return tooLarge();
  const bytes = typeof note === 'string' ? Buffer.from(note, 'utf8') : note;
  if (bytes.length > MAX_NOTE_BYTES) return tooLarge();
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  if (Buffer.compare(Buffer.from(text, 'utf8'), bytes) !== 0) return malformed('it is not UTF-8');
  return isNoteText(typeof note === 'string' ? note : text) ? { ok: true, text } : malformed('it has control characters other than newline, or half of a surrogate pair');
}

function isNoteText(text: string): boolean {
  return !/[\u0000-\u0009\u000b-\u001f\p{Surrogate}]/u.test(text);
}

function tooLarge(): Refused {
  return refused('NOTE_TOO_LARGE', WHERE, `it is over ${MAX_NOTE_BYTES} bytes; fetch it again from the log itself`);
}

function malformed(what: string): Refused {
  return refused('NOTE_MALFORMED', WHERE, `${what}; fetch it again from the log itself`);
}
