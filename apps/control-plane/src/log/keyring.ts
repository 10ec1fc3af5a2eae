/**
 * The plane's key while it is being replaced. The next key lies beside the present one, in `keys/plane.next.key`, before the log is told; the head
 * that covers the change is signed by both; only then does the file take its place. So whenever the plane is killed, the log says which of
 * the two is the right one.
 */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { encodeSignerKey, parseSignerKey, SEED_BYTES } from '@portcullis/tlog';
import type { Signer, VerifierKey } from '@portcullis/tlog';
import { writeDurably } from './durable-file.ts';
import { nextKeyPath, planeKeyPath, SECRET_MODE } from './keys.ts';
import type { HeadKeys } from './log.ts';

export interface Keyring extends HeadKeys {
  readonly current: () => Signer;
  /** Makes the next key, durable and not in use yet. */
  readonly propose: () => Signer;
  /** The log has recorded the proposed key: from here on it signs alone. */
  readonly adopt: () => void;
  /** It was not recorded. */
  readonly withdraw: () => void;
  /** After the log was read: whether one of the keys here is the one that it names. */
  readonly settle: (log: string, publicKey: string) => boolean;
}

export function createKeyring(dataDir: string, signer: Signer, random: (bytes: number) => Uint8Array): Keyring {
  let current = signer;
  let next = readNext(dataDir);
  let proposed = false;

  const adopt = (): void => {
    if (next === undefined) return;
    current = next;
    next = undefined;
    proposed = false;
    try {
      renameSync(nextKeyPath(dataDir), planeKeyPath(dataDir));
    } catch {
      // The next start finds both files and goes by what the log says.
    }
  };
  const withdraw = (): void => {
    next = undefined;
    proposed = false;
    rmSync(nextKeyPath(dataDir), { force: true });
  };
  return {
    current: () => current,
    signers: () => (proposed && next !== undefined ? [current, next] : [current]),
    verifiers: () => (next === undefined ? [current] : [current, next]).map(({ verifierKey }) => verifierKey),
    propose() {
      next = writeNext(dataDir, current.verifierKey.name, random);
      proposed = true;
      return next;
    },
    adopt,
    withdraw,
    settle(log, publicKey) {
      const says = ({ verifierKey }: Signer): boolean => verifierKey.name === log && publicKeyText(verifierKey) === publicKey;
      if (next !== undefined && says(next)) adopt();
      else if (next !== undefined) withdraw();
      return says(current);
    },
  };
}

/** Makes a key for a log of this name and leaves it in `keys/plane.next.key`. */
export function writeNext(dataDir: string, log: string, random: (bytes: number) => Uint8Array): Signer {
  const text = encodeSignerKey(log, random(SEED_BYTES));
  writeDurably(nextKeyPath(dataDir), `${text}\n`, SECRET_MODE);
  const parsed = parseSignerKey(text);
  if (!parsed.ok) throw new Error('a key that was just made cannot be read');
  return parsed.signer;
}

/** Base64 of the 32 raw bytes, as events and frames have it. */
export function publicKeyText({ publicKey }: VerifierKey): string {
  return Buffer.from(publicKey).toString('base64');
}

/** A damaged one is none: the log cannot have recorded it before it was durable. */
function readNext(dataDir: string): Signer | undefined {
  if (!existsSync(nextKeyPath(dataDir))) return undefined;
  const parsed = parseSignerKey(readFileSync(nextKeyPath(dataDir), 'utf8').trimEnd());
  return parsed.ok ? parsed.signer : undefined;
}
