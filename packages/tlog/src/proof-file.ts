/** C2SP tlog-proof: one text that shows, offline and by itself, that an entry is in the log (`.tlog-proof`). */
import { decodeBase64, encodeBase64 } from './base64.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { decodeHash, encodeHash, leafHash } from './hash.ts';
import { MAX_NOTE_BYTES } from './note.ts';
import type { VerifierKeys } from './note.ts';
import { refused } from './problem.ts';
import type { Refused } from './problem.ts';
import { verifyInclusion } from './verify.ts';

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';

/** An entry of the largest size in base64, a proof of 53 hashes and the checkpoint. */
export const MAX_PROOF_FILE_BYTES = 128 * 1024 + MAX_NOTE_BYTES;

const WHERE = 'proof file';

export interface ProofFile {
  readonly index: number;
  /** The inclusion proof, leaf's sibling first. */
  readonly proof: readonly Uint8Array[];
  /** The signed checkpoint that the proof leads to, as it was signed. */
  readonly checkpoint: string;
  /** Anything; it is not authenticated. */
  readonly extra?: Uint8Array;
}

export function encodeProofFile(file: ProofFile): string {
  const extra = file.extra === undefined ? [] : [`extra ${encodeBase64(file.extra)}`];
  return [FIRST_LINE, ...extra, `index ${file.index}`, ...file.proof.map(encodeHash), '', file.checkpoint].join('\n');
}

export type ParsedProofFile = { readonly ok: true; readonly file: ProofFile } | Refused;

/** Reads a proof file without believing it: use `verifyProofFile`. */
export function parseProofFile(text: string): ParsedProofFile {
  if (text.length > MAX_PROOF_FILE_BYTES) return malformed(`it is over ${MAX_PROOF_FILE_BYTES} characters`);
  const blank = text.indexOf('\n\n');
  if (blank < 0) return malformed('there is no blank line before the checkpoint');
  const [first, ...rest] = text.slice(0, blank).split('\n');
  if (first !== FIRST_LINE) return malformed(`its first line is not ${FIRST_LINE}`);
  const extraText = rest[0]?.startsWith('extra ') === true ? rest[0].slice('extra '.length) : undefined;
  const extra = extraText === undefined ? undefined : decodeBase64(extraText);
  if (extraText !== undefined && extra === undefined) return malformed('its extra line is not base64');
  const [indexLine, ...hashLines] = extraText === undefined ? rest : rest.slice(1);
  const indexText = /^index (0|[1-9][0-9]*)$/.exec(indexLine ?? '')?.[1];
  if (indexText === undefined || !Number.isSafeInteger(Number(indexText))) return malformed('its index is not a plain decimal number below 2^53');
  const proof: Uint8Array[] = [];
  for (const line of hashLines) {
    const hash = decodeHash(line);
    if (hash === undefined) return malformed('a line of the proof is not a hash');
    proof.push(hash);
  }
  return { ok: true, file: { index: Number(indexText), proof, checkpoint: text.slice(blank + 2), ...(extra === undefined ? {} : { extra }) } };
}

/** Whether the file shows that `entry` is in the log that signs with one of `keys`, and where. */
export function verifyProofFile(text: string, entry: Uint8Array, keys: VerifierKeys): { readonly ok: true; readonly index: number; readonly checkpoint: Checkpoint } | Refused {
  const parsed = parseProofFile(text);
  if (!parsed.ok) return parsed;
  const { index, proof, checkpoint: note } = parsed.file;
  const opened = openCheckpoint(note, keys);
  if (!opened.ok) return opened;
  const included = verifyInclusion(leafHash(entry), index, opened.checkpoint, proof);
  return included.ok ? { ok: true, index, checkpoint: opened.checkpoint } : included;
}

function malformed(what: string): Refused {
  return refused('PROOF_MALFORMED', WHERE, `${what}; ask the log for the proof again`);
}
