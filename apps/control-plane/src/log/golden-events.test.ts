/**
 * Events as they lie in logs out there: one golden file for each form that was ever recorded, an example of each type in it. What is recorded
 * now is, byte for byte, the newest file; every file reads as what it says. A file of a new form is written with GOLDEN=write.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EVENT_TYPES } from '../domain/events.ts';
import type { EventType, PlaneEvent, Recorded } from '../domain/events.ts';
import { decodeEvent, encodeEvent } from './codec.ts';
import type { Payload, Unsealed } from './codec.ts';
import { SCHEMA, upcast } from './upcast.ts';
import type { Step } from './upcast.ts';

const VECTORS = join(import.meta.dirname, '../../../../test/vectors/events');
const fileOf = (schema: number): string => join(VECTORS, `schema-${schema}.jsonl`);

const KEY = Buffer.alloc(32, 7).toString('base64');
const SIGNATURE = Buffer.alloc(64, 9).toString('base64');
const hex = (digit: string): string => digit.repeat(64);
const content = { textSha256: hex('a'), textBytes: 20, modelSha256: hex('b'), modelBytes: 300 };
const hold = { policy: 'github.yaml', content: hex('c') };

/** The compiler asks for one of each type. */
const EXAMPLES: { readonly [T in EventType]: Extract<PlaneEvent, { type: T }> } = {
  PlaneInitialised: { type: 'PlaneInitialised', log: 'portcullis.local/00000001', publicKey: KEY, recoveryKeySha256: hex('d') },
  PolicySetPublished: {
    type: 'PolicySetPublished',
    changes: [{ kind: 'added', policy: 'github.yaml', content }, { kind: 'changed', policy: 'files.yaml', content }, { kind: 'removed', policy: 'old.yaml' }],
    git: { commit: 'e'.repeat(40), branch: 'main', claimedAuthor: 'Ada <ada@example.com>', subject: 'Allow reading' },
  },
  ChangeRefused: {
    type: 'ChangeRefused', policy: 'github.yaml', textSha256: hex('f'), why: 'invalid', message: 'it is not published', change: null, removes: [],
    problems: [{ file: 'github.yaml', line: 2, column: 1, code: 'UNKNOWN_KEY', severity: 'error', message: 'unknown key `rulez`', frame: null }],
  },
  RemovalConfirmed: { type: 'RemovalConfirmed', change: 'c-7', removes: ['old.yaml'] },
  RolledBack: { type: 'RolledBack', to: 3, changes: [{ kind: 'changed', policy: 'github.yaml', content }], holds: [hold], released: [{ policy: 'old.yaml', content: 'absent' }] },
  HoldReleased: { type: 'HoldReleased', holds: [hold] },
  RestrictionImposed: {
    type: 'RestrictionImposed',
    restriction: { id: 'r-6', selector: { server: ['git*'], labels: { env: ['prod'] } }, scope: { kind: 'tools', globs: ['delete_*'] }, readOnly: true, reason: 'because', actor: 'op-1', imposedAtMs: 1_006, expiresAtMs: 61_006 },
  },
  RestrictionLifted: { type: 'RestrictionLifted', restriction: 'r-6' },
  RestrictionExpired: { type: 'RestrictionExpired', restriction: 'r-6' },
  JoinTokenCreated: { type: 'JoinTokenCreated', token: 'j-1', secretSha256: hex('1'), labels: { env: 'prod' }, expiresAtMs: 99_000 },
  JoinTokenRevoked: { type: 'JoinTokenRevoked', token: 'j-1' },
  HostEnrolled: { type: 'HostEnrolled', host: 'h-1', name: 'laptop', publicKey: KEY, labels: { env: 'prod' }, token: 'j-1' },
  HostRelabelled: { type: 'HostRelabelled', host: 'h-1', labels: { env: 'dev' } },
  HostRevoked: { type: 'HostRevoked', host: 'h-1' },
  OperatorTokenCreated: { type: 'OperatorTokenCreated', token: 'op-2', secretSha256: hex('2'), name: 'Ada', role: 'editor' },
  OperatorTokenRevoked: { type: 'OperatorTokenRevoked', token: 'op-2' },
  WatchFailed: { type: 'WatchFailed', problem: 'the directory is gone' },
  WatchRecovered: { type: 'WatchRecovered' },
  KeyRotated: { type: 'KeyRotated', publicKey: KEY, previousKey: KEY, signatures: { previous: SIGNATURE, next: SIGNATURE } },
  LogRestored: { type: 'LogRestored', previousLog: 'portcullis.local/00000001', previousSize: 19, log: 'portcullis.local/00000002', publicKey: KEY, recoveryKeySha256: hex('d'), statement: { recoveryKey: KEY, signature: SIGNATURE } },
  TextErased: { type: 'TextErased', seqs: [6, 9], hosts: ['h-1'], operators: ['op-2'] },
};

interface Golden {
  readonly entry: string;
  readonly payloads: readonly { readonly sha256: string; readonly salt: string | null; readonly body: string }[];
  readonly recorded: Recorded;
}

/** As the plane of this version records it; the salts count up. */
function recordNow(event: PlaneEvent, seq: number): Golden {
  const unsealed: Unsealed = {
    id: `00000000-0000-7000-8000-${String(seq).padStart(12, '0')}`, atMs: 1_000 + seq, actor: { kind: 'operator', id: 'op-1' }, auth: { method: 'token', ref: 'op-1' },
    reason: 'because', idem: `key-${seq}`, commandSha256: hex('3'), cause: seq === 0 ? null : `00000000-0000-7000-8000-${String(seq - 1).padStart(12, '0')}`, event, n: 0,
  };
  const { entry, payloads } = encodeEvent(seq, Buffer.alloc(32, seq).toString('base64'), unsealed, (bytes) => Buffer.alloc(bytes, seq));
  return { entry: entry.toString('utf8'), payloads: payloads.map(textual), recorded: decodeEvent(entry, (sha256) => payloads.find((payload) => payload.sha256 === sha256)) };
}

function textual({ sha256, salt, body }: Payload): Golden['payloads'][number] {
  return { sha256, salt: salt === null ? null : Buffer.from(salt).toString('base64'), body: Buffer.from(body).toString('base64') };
}

function read({ entry, payloads }: Golden): Recorded {
  return decodeEvent(Buffer.from(entry), (wanted) => {
    const found = payloads.find(({ sha256 }) => sha256 === wanted);
    return found === undefined ? undefined : { salt: found.salt === null ? null : Buffer.from(found.salt, 'base64'), body: Buffer.from(found.body, 'base64') };
  });
}

const golden = (schema: number): readonly Golden[] => readFileSync(fileOf(schema), 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Golden);
const now = Object.values(EXAMPLES).map(recordNow);
if (process.env['GOLDEN'] === 'write' && !existsSync(fileOf(SCHEMA))) writeFileSync(fileOf(SCHEMA), now.map((line) => `${JSON.stringify(line)}\n`).join(''));

describe('the golden events', () => {
  it('have an example of every type', () => {
    expect(new Set(now.map(({ recorded }) => recorded.event.type))).toEqual(EVENT_TYPES);
  });

  it(`[L5] of the present form (${SCHEMA}) are, byte for byte, what is recorded now`, () => {
    expect(now).toEqual(golden(SCHEMA));
  });

  it.each(Array.from({ length: SCHEMA }, (_, n) => n + 1))('[L5] of form %i read as they were meant', (schema) => {
    for (const line of golden(schema)) {
      expect(JSON.parse(line.entry)).toMatchObject({ schema });
      expect(read(line)).toEqual(line.recorded);
    }
    expect(golden(schema).length).toBeGreaterThan(20);
  });
});

describe('an older form', () => {
  const steps: readonly Step[] = [
    (type, { open, closed }) => (type === 'HostEnrolled' ? { open: { ...open, labels: {} }, closed } : { open, closed }),
    (_type, { open, closed }) => ({ open: { ...open, third: true }, closed: closed === null ? null : { ...closed, third: true } }),
  ];
  const form = { open: { host: 'h' }, closed: { name: 'n' } };

  it('is brought to the present one step by step, and the present one is left as it is', () => {
    expect(upcast('HostEnrolled', 1, form, steps)).toEqual({ open: { host: 'h', labels: {}, third: true }, closed: { name: 'n', third: true } });
    expect(upcast('HostEnrolled', 2, form, steps)).toEqual({ open: { host: 'h', third: true }, closed: { name: 'n', third: true } });
    expect(upcast('HostEnrolled', 3, form, steps)).toBe(form);
    expect(upcast('HostRevoked', 1, { open: {}, closed: null }, steps)).toEqual({ open: { third: true }, closed: null });
  });

  it('is refused where this version does not know it', () => {
    for (const schema of [0, -1, 1.5, 4, NaN]) expect(upcast('HostEnrolled', schema, form, steps)).toBeUndefined();
    const [first] = now;
    const newer = { ...first!, entry: first!.entry.replace('"schema":1', '"schema":99') };
    expect(() => read(newer)).toThrow(/schema 99, which this version of Portcullis does not know/);
  });
});
