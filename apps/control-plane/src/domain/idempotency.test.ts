import { describe, expect, it } from 'vitest';
import { OPERATOR } from '../../../../test/domain/story.ts';
import type { Command, Meta } from './command.ts';
import { NOTHING } from './fold.ts';
import { fingerprint, remembered } from './idempotency.ts';

const lockdown: Command = { kind: 'restrict', selector: { server: ['a'], labels: {} }, tools: null, readOnly: false, expiresAtMs: 1_001_000 };
const meta: Meta = { ...OPERATOR, idem: 'k' };

describe('an idempotency key', () => {
  it('[L6] stands for what was asked: an end counts as a time to live, what the plane makes for each try does not count', () => {
    const later = { ...meta, nowMs: meta.nowMs + 5_000 };
    expect(fingerprint({ ...lockdown, expiresAtMs: 1_006_000 }, later)).toBe(fingerprint(lockdown, meta));
    expect(fingerprint(lockdown, later)).not.toBe(fingerprint(lockdown, meta));
    expect(fingerprint({ ...lockdown, readOnly: true }, meta)).not.toBe(fingerprint(lockdown, meta));
    expect(fingerprint(lockdown, { ...meta, reason: 'other' })).not.toBe(fingerprint(lockdown, meta));
    const create = (token: string): Command => ({ kind: 'create-operator-token', token, secretSha256: token, name: 'n', role: 'viewer' });
    expect(fingerprint(create('x'), meta)).toBe(fingerprint(create('y'), meta));
  });

  it('[L6] is one actor\'s own: the same command replays, another is a conflict', () => {
    const state = { ...NOTHING, idempotency: new Map([['op-1 k', { commandSha256: fingerprint(lockdown, meta), seqs: [7] }]]) };
    expect(remembered(state, lockdown, meta)).toEqual({ kind: 'replay', seqs: [7] });
    expect(remembered(state, { ...lockdown, readOnly: true }, meta)).toMatchObject({ kind: 'refused', refusal: { code: 'idempotency-conflict' } });
    expect(remembered(state, lockdown, { ...meta, actor: { kind: 'operator', id: 'op-2' } })).toMatchObject({ kind: 'new' });
    expect(remembered(NOTHING, lockdown, meta, (actorId, idem) => state.idempotency.get(`${actorId} ${idem}`))).toEqual({ kind: 'replay', seqs: [7] });
    expect(remembered(state, lockdown, { ...meta, idem: null })).toEqual({ kind: 'new', commandSha256: null });
    expect(remembered(state, lockdown, { ...meta, idem: '' })).toMatchObject({ kind: 'refused', refusal: { code: 'invalid' } });
    expect(remembered(state, lockdown, { ...meta, idem: 'x'.repeat(201) })).toMatchObject({ kind: 'refused' });
  });
});
