/** A signature of ours, verified by OpenSSL alone. */
import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signCheckpoint, signerFromSeed } from '@portcullis/tlog';

/** DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** key id (4 bytes) before the 64 bytes of the signature (C2SP signed-note). */
const KEY_ID_BYTES = 4;

export function checkpointByOpenssl(): string {
  const signer = signerFromSeed('example.com/portcullis-test', Buffer.alloc(32, 7));
  const note = signCheckpoint({ origin: signer.verifierKey.name, size: 3, root: Buffer.alloc(32, 1) }, signer);
  const end = note.lastIndexOf('\n\n') + 1;
  const text = note.slice(0, end);
  const signature = Buffer.from(note.slice(end).trim().split(' ').at(-1) ?? '', 'base64').subarray(KEY_ID_BYTES);
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, signer.verifierKey.publicKey]), format: 'der', type: 'spki' });
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-openssl-'));
  try {
    writeFileSync(join(directory, 'key.pem'), key.export({ format: 'pem', type: 'spki' }));
    writeFileSync(join(directory, 'signature'), signature);
    if (!verifies(directory, text)) throw new Error('OpenSSL refused a checkpoint that we signed');
    if (verifies(directory, text.replace('\n3\n', '\n4\n'))) throw new Error('OpenSSL accepted an altered checkpoint');
    return 'accepted as signed, refused when altered';
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function verifies(directory: string, text: string): boolean {
  writeFileSync(join(directory, 'text'), text);
  try {
    execFileSync('openssl', ['pkeyutl', '-verify', '-pubin', '-inkey', 'key.pem', '-rawin', '-in', 'text', '-sigfile', 'signature'], { cwd: directory, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
