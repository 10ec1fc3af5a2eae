/** C2SP tlog-checkpoint: the head of a log as a signed note of origin, size and root. */
import { decodeHash, emptyRoot, encodeHash, HASH_BYTES, sameHash } from './hash.ts';
import type { TreeHead } from './hash.ts';
import type { Signer } from './key.ts';
import { openNote, signNote } from './note.ts';
import type { VerifierKeys } from './note.ts';
import { refused } from './problem.ts';
import type { Refused } from './problem.ts';

export interface Checkpoint extends TreeHead {
  /** Which log: the name of the key that signs it. */
  readonly origin: string;
}

export type OpenedCheckpoint =
  | {
      readonly ok: true;
      readonly checkpoint: Checkpoint;
      /** Further lines of the text. Signed, but of no meaning here. */
      readonly extensions: readonly string[];
    }
  | Refused;

const WHERE = 'checkpoint';

/** The note that states a head. Its origin is the name of each signer; two heads of one size must never be signed with different roots. */
export function signCheckpoint(checkpoint: Checkpoint, signers: Signer | readonly Signer[]): string {
  const { origin, size, root } = checkpoint;
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`the size ${size} is not a whole number from 0`);
  if (root.length !== HASH_BYTES) throw new RangeError(`a root has ${HASH_BYTES} bytes, not ${root.length}`);
  for (const signer of 'sign' in signers ? [signers] : signers) {
    if (signer.verifierKey.name !== origin) throw new RangeError(`the key \`${signer.verifierKey.name}\` does not sign for the log \`${origin}\``);
  }
  return signNote(`${origin}\n${size}\n${encodeHash(root)}\n`, signers);
}

/**
 * Reads a checkpoint that one of `keys` signed and whose origin is that key's name. Refuses every other spelling of size and root,
 * and a root of the empty tree that is not the empty root.
 */
export function openCheckpoint(note: string | Uint8Array, keys: VerifierKeys): OpenedCheckpoint {
  const opened = openNote(note, keys);
  if (!opened.ok) return opened;
  const [origin, sizeText, rootText, ...rest] = opened.text.split('\n');
  const extensions = rest.slice(0, -1);
  if (origin === undefined || origin === '' || sizeText === undefined || rootText === undefined || rest.length === 0 || extensions.includes('')) {
    return malformed('it is not the lines origin, size and root');
  }
  if (!opened.signedBy.some((key) => key.name === origin)) {
    return refused('ORIGIN_WRONG', WHERE, `it speaks for the log \`${origin}\`, which is not the name of the key that signed it; check that the key belongs to this log`);
  }
  const size = Number(sizeText);
  if (!/^(0|[1-9][0-9]*)$/.test(sizeText) || !Number.isSafeInteger(size)) return malformed('its size is not a plain decimal number below 2^53');
  const root = decodeHash(rootText);
  if (root === undefined) return malformed(`its root is not base64 of ${HASH_BYTES} bytes`);
  if (size === 0 && !sameHash(root, emptyRoot())) return malformed('it gives the empty tree a root that is not SHA-256 of nothing');
  return { ok: true, checkpoint: { origin, size, root }, extensions };
}

function malformed(what: string): Refused {
  return refused('CHECKPOINT_MALFORMED', WHERE, `${what}; fetch it again from the log itself`);
}
