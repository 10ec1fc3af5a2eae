/** What any store of the log must hold, whichever database is behind it (L1, L2, L3). */
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Payload } from '../../apps/control-plane/src/log/codec.ts';
import { payloadHash } from '../../apps/control-plane/src/log/codec.ts';
import type { LogStore, LogWriter } from '../../apps/control-plane/src/log/store.ts';

export interface StoreUnderTest {
  readonly store: LogStore;
  /** Closes it and opens what is there again. */
  reopen(): LogStore;
}

export function plainPayload(text: string): Payload {
  const body = Buffer.from(text);
  return { sha256: payloadHash(null, body), salt: null, body };
}

export function saltedPayload(text: string): Payload {
  const salt = randomBytes(32);
  const body = Buffer.from(text);
  return { sha256: payloadHash(salt, body), salt, body };
}

/** An entry with the fields that a store looks at. */
export function entryFor(seq: number, fields: { type?: string; actor?: string; idem?: string; id?: string; payload?: string } = {}): Buffer {
  const { type = 'WatchRecovered', actor = 'plane', idem, id = `id-${seq}`, payload = '0'.repeat(64) } = fields;
  return Buffer.from(JSON.stringify({ seq, id, type, actor: { kind: 'plane', id: actor }, payload_sha256: payload, reason_sha256: null, idem: idem === undefined ? null : { key: idem, n: 0 } }));
}

export function write(writer: LogWriter, seq: number, fields: Parameters<typeof entryFor>[1] = {}): void {
  const entry = entryFor(seq, fields);
  writer.entry(seq, entry, createHash('sha256').update(entry).digest());
}

export function storeContract(name: string, open: () => StoreUnderTest): void {
  describe(`the log store contract: ${name}`, () => {
    it('[L1] gives seqs without a gap, each once', () => {
      const { store } = open();
      store.append(0, (writer) => {
        write(writer, 0);
        write(writer, 1);
      });
      for (const seq of [-1, 0, 1, 3]) expect(() => store.append(2, (writer) => write(writer, seq))).toThrow();
      expect(store.size()).toBe(2);
      expect([...store.read(0, 9)].map((stored) => stored.seq)).toEqual([0, 1]);
    });

    it('[L1] keeps the very bytes of an entry', () => {
      const under = open();
      const entry = Buffer.from('{"seq" : 0,"id":"ü\u2028","type":"T","actor":{"id":"a"},"payload_sha256":"x","extra":1.0}');
      under.store.append(0, (writer) => writer.entry(0, entry, Buffer.alloc(32)));
      expect([...under.reopen().read(0, 1)][0]?.entry).toEqual(entry);
    });

    it('[L1] refuses an entry whose own seq is another, or that is no JSON', () => {
      const { store } = open();
      expect(() => store.append(0, (writer) => writer.entry(0, entryFor(1), Buffer.alloc(32)))).toThrow();
      expect(() => store.append(0, (writer) => writer.entry(0, Buffer.from('{'), Buffer.alloc(32)))).toThrow();
      expect(() => store.append(0, (writer) => writer.entry(0, entryFor(0), Buffer.alloc(31)))).toThrow();
    });

    it('[L2] appends all or nothing', () => {
      const under = open();
      const payload = plainPayload('text');
      expect(() =>
        under.store.append(0, (writer) => {
          writer.payload(payload);
          write(writer, 0);
          writer.checkpoint(1, 'note');
          throw new Error('the disk is full');
        }),
      ).toThrow('the disk is full');
      const again = under.reopen();
      expect([again.size(), again.hasPayload(payload.sha256), again.checkpoint()]).toEqual([0, false, undefined]);
    });

    it('[L2] refuses to append to another size than was expected', () => {
      const { store } = open();
      store.append(0, (writer) => write(writer, 0));
      expect(() => store.append(0, (writer) => write(writer, 1))).toThrow(/another writer/);
      expect(() => store.append(2, (writer) => write(writer, 1))).toThrow(/another writer/);
    });

    it('[L3] writes a payload, a tile and a signed head once, and takes the same payload again', () => {
      const { store } = open();
      const payload = plainPayload('text');
      store.append(0, (writer) => {
        writer.payload(payload);
        writer.payload(payload);
        writer.tile(0, 0, Buffer.alloc(8192, 1));
        writer.checkpoint(1, 'first');
      });
      expect(() => store.append(0, (writer) => writer.tile(0, 0, Buffer.alloc(8192, 2)))).toThrow();
      expect(() => store.append(0, (writer) => writer.checkpoint(1, 'second'))).toThrow();
      expect(store.checkpoint()).toEqual({ size: 1, note: 'first' });
      expect(store.checkpoint(1)?.note).toBe('first');
      expect(store.checkpointSizes()).toEqual([1]);
      expect(store.tile(0, 0)?.[0]).toBe(1);
      expect(store.tile(0, 1)).toBeUndefined();
    });

    it('[L6] takes an idempotency key once for each actor', () => {
      const { store } = open();
      store.append(0, (writer) => {
        write(writer, 0, { actor: 'a', idem: 'k' });
        write(writer, 1, { actor: 'b', idem: 'k' });
      });
      expect([store.keyed('a', 'k'), store.keyed('b', 'k'), store.keyed('c', 'k'), store.keyed('a', 'x')]).toEqual([[0], [1], [], []]);
      expect(() => store.append(2, (writer) => write(writer, 2, { actor: 'a', idem: 'k' }))).toThrow();
      expect(() => store.append(2, (writer) => write(writer, 2, { id: 'id-0' }))).toThrow();
    });

    it('erases a salted payload and nothing else', () => {
      const { store } = open();
      const plain = plainPayload('policy');
      const salted = saltedPayload('a name');
      store.append(0, (writer) => {
        writer.payload(plain);
        writer.payload(salted);
      });
      expect(store.erase(plain.sha256)).toBe(false);
      expect(store.erase(salted.sha256)).toBe(true);
      expect(store.erase(salted.sha256)).toBe(false);
      expect(store.payload(salted.sha256)).toEqual({ salt: null, body: null });
      expect(store.payload(plain.sha256)?.body?.toString()).toBe('policy');
      expect(store.payload('0'.repeat(64))).toBeUndefined();
    });

    it('finds what matches, newest first', () => {
      const { store } = open();
      store.append(0, (writer) => {
        for (let seq = 0; seq < 6; seq++) write(writer, seq, { type: seq % 2 === 0 ? 'A' : 'B', actor: seq < 3 ? 'x' : 'y' });
      });
      const all = { limit: 10, before: 6, from: 0, types: null, actor: null };
      expect(store.find(all)).toEqual([5, 4, 3, 2, 1, 0]);
      expect(store.find({ ...all, limit: 2, before: 4 })).toEqual([3, 2]);
      expect(store.find({ ...all, from: 4 })).toEqual([5, 4]);
      expect(store.find({ ...all, types: ['A', 'C'] })).toEqual([4, 2, 0]);
      expect(store.find({ ...all, types: [] })).toEqual([]);
      expect(store.find({ ...all, types: ['B'], actor: 'x' })).toEqual([1]);
    });
  });
}
