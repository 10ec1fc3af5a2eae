/** AUDIT.md: what an exported log holds, and how to check it without any program of ours. */
import { encodeVerifierKey } from '@portcullis/tlog';
import type { VerifierKey } from '@portcullis/tlog';

export function auditGuide(key: VerifierKey): string {
  return `# The log ${key.name}

This directory is a C2SP tlog-tiles log (https://c2sp.org/tlog-tiles) with the payloads of its entries beside it.

| path | what it is |
|---|---|
| \`checkpoint\` | the newest signed head: origin, number of entries, root hash, Ed25519 signature (C2SP signed note) |
| \`plane.vkey\` | the verifier key that it claims: \`${encodeVerifierKey(key)}\` |
| \`tile/entries/…\` | the entries, 256 a bundle, each behind its length as a big-endian uint16 |
| \`tile/<L>/…\` | the tree's hashes, 256 a tile |
| \`payload/<sha256>\` | what entries name by hash: bodies of events, policy texts and models |

An entry is the exact JSON of one event; its leaf hash is SHA-256(0x00 || entry) (RFC 6962). \`payload_sha256\` names the event's body.
\`reason_sha256\`, and \`hidden_sha256\` in a body, name payloads that begin with 32 bytes of salt and may have been erased: then the file is
missing, and entry, order and proofs are valid all the same. Every other payload must be there.

## What to check

1. That \`plane.vkey\` is the plane's key: compare it with a copy that you have from elsewhere. A key that comes with the log proves nothing.
2. That the log is whole: \`portcullis log verify DIR --key KEY --checkpoint KEPT\`, or any tool for tlog-tiles. \`KEPT\` is a checkpoint that
   you, or a proxy of the fleet, kept earlier: without one, a log whose end was cut off looks whole.
3. That payloads are what the entries name: \`cd payload && for f in *; do echo "$f  $f"; done | sha256sum --check --quiet\`
`;
}
