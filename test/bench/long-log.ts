/** A log of many events, written through the real store a few thousand to the transaction: restrictions, change-sets, refusals, hosts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { canonicalJson, digestOf, parsePolicy } from '@portcullis/policy-core';
import type { PlaneEvent, Recorded } from '../../apps/control-plane/src/domain/events.ts';
import { eventId } from '../../apps/control-plane/src/event-id.ts';
import type { Payload, Unsealed } from '../../apps/control-plane/src/log/codec.ts';
import { makeKeys } from '../../apps/control-plane/src/log/keys.ts';
import { openLog } from '../../apps/control-plane/src/log/log.ts';
import { openSqliteStore } from '../../apps/control-plane/src/log/sqlite-store.ts';

/** Events of one transaction. */
const BATCH = 5_000;
const POLICIES = 200;
const HOSTS = 500;

/** Makes a data directory with a log of `size` events. */
export function writeLongLog(dataDir: string, size: number): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  // Of no use here, and 16 MiB.
  writeFileSync(join(dataDir, 'ballast'), 'small');
  const made = makeKeys(dataDir, randomBytes);
  if (!made.ok) throw new Error(made.problem);
  const { signer, recoverySha256 } = made.keys;
  const store = openSqliteStore(join(dataDir, 'log.db'));
  const { log, events } = openLog(store, { signers: () => [signer], verifiers: () => [signer.verifierKey] }, randomBytes);
  for (const _ of events) throw new Error('the directory has a log already');
  const publicKey = Buffer.from(signer.verifierKey.publicKey).toString('base64');
  log.append([recordedBy('plane', 0, { type: 'PlaneInitialised', log: signer.verifierKey.name, publicKey, recoveryKeySha256: recoverySha256 ?? '' })], []);
  const contents = Array.from({ length: 10 }, (_, edition) => policyContent(edition));
  let payloads: readonly Payload[] = contents.flatMap(({ payloads }) => payloads);
  while (log.size() < size) {
    const from = log.size();
    const batch = Array.from({ length: Math.min(BATCH, size - from) }, (_, i) => eventAt(from + i, contents));
    log.append(batch, payloads);
    payloads = [];
  }
  store.close();
}

function eventAt(seq: number, contents: readonly Content[]): Unsealed {
  if (seq <= HOSTS) return recordedBy('plane', seq, { type: 'HostEnrolled', host: `h${seq}`, name: `host-${seq}`, publicKey: Buffer.alloc(32, seq % 256).toString('base64'), labels: { env: seq % 2 === 0 ? 'prod' : 'dev' }, token: 't' });
  switch (seq % 5) {
    case 0:
      return recordedBy('op-1', seq, { type: 'RestrictionImposed', restriction: { id: `r-${seq}`, selector: { server: [`server-${seq}`], labels: {} }, scope: { kind: 'all' }, readOnly: false, imposedAtMs: seq, expiresAtMs: null, reason: '', actor: '' } }, 'an incident in the night');
    case 1:
      return recordedBy('op-1', seq, { type: 'RestrictionLifted', restriction: `r-${seq - 1}` }, 'it is over');
    case 4:
      return recordedBy('directory', seq, { type: 'ChangeRefused', policy: `p${seq % POLICIES}.yaml`, textSha256: digestOf(String(seq)), why: 'invalid', problems: [], message: 'it cannot be read', change: null, removes: [] });
    default:
      return recordedBy('directory', seq, { type: 'PolicySetPublished', git: null, changes: [{ kind: 'changed', policy: `p${seq % POLICIES}.yaml`, content: contents[Math.floor(seq / 7) % contents.length]!.ref }] });
  }
}

function recordedBy(id: string, seq: number, event: PlaneEvent, reason: string | null = null): Unsealed {
  const atMs = 1_700_000_000_000 + seq * 1_000;
  const kind: Recorded['actor']['kind'] = id === 'plane' ? 'plane' : id === 'directory' ? 'files' : 'operator';
  const key = kind === 'operator' ? { idem: `key-${seq}`, commandSha256: digestOf(String(seq)) } : { idem: null, commandSha256: null };
  return { id: eventId(atMs, randomBytes(10)), atMs, actor: { kind, id }, auth: { method: 'none', ref: null }, reason, ...key, cause: null, event, n: 0 };
}

interface Content {
  readonly ref: { readonly textSha256: string; readonly textBytes: number; readonly modelSha256: string; readonly modelBytes: number };
  readonly payloads: readonly Payload[];
}

function policyContent(edition: number): Content {
  const text = Buffer.from(`version: "1"\ndescription: edition ${edition}\ntools:\n  read_${edition}: {}\n`);
  const parsed = parsePolicy({ id: 'p.yaml', bytes: text });
  if (!parsed.ok) throw new Error('the policy of the benchmark is invalid');
  const model = Buffer.from(canonicalJson(parsed.policy));
  const [textSha256, modelSha256] = [digestOf(text), digestOf(model)];
  return { ref: { textSha256, textBytes: text.length, modelSha256, modelBytes: model.length }, payloads: [{ sha256: textSha256, salt: null, body: text }, { sha256: modelSha256, salt: null, body: model }] };
}
