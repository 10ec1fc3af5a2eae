/** What a proxy takes of the log's tree: the continuation of what it has seen, and nothing else. */
import { consistencyProof, edgeTiles, emptyEdge, encodeHash, extend, leafHash, rootOf, signCheckpoint, signerFromSeed } from '@portcullis/tlog';
import type { Edge, Signer } from '@portcullis/tlog';
import { describe, expect, it } from 'vitest';
import { continued, restoreWitnessed } from './witness.ts';
import type { Witnessed } from './witness.ts';

const LOG = 'portcullis.test/00000001';
const signer = signerFromSeed(LOG, new Uint8Array(32).fill(1));
const keys = [Buffer.from(signer.verifierKey.publicKey).toString('base64')];

/** A log of so many events, which are others from `fork` on. */
function tree(size: number, fork = Number.MAX_SAFE_INTEGER): { readonly note: (by?: Signer) => string; readonly proof: (older: number) => readonly string[] } {
  let edge: Edge = emptyEdge();
  for (let seq = 0; seq < size; seq++) edge = extend(edge, leafHash(Buffer.from(`${seq < fork ? 'event' : 'other'} ${seq}`))).edge;
  return {
    note: (by = signer) => signCheckpoint({ origin: LOG, size, root: rootOf(edge) }, by),
    proof: (older) => {
      const made = consistencyProof(older, size, edgeTiles(edge, () => undefined));
      return made.ok ? made.proof.map(encodeHash) : [];
    },
  };
}

function seen(size: number): Witnessed {
  const first = continued(null, { from: 0, note: tree(size).note(), proof: [] }, LOG, keys);
  if (!first.ok) throw new Error(first.problem);
  return first.witnessed;
}

describe('a witness', () => {
  it('[L7] takes every head that goes on from the one it knows, and the same one again', () => {
    for (let older = 1; older < 40; older += 3) {
      for (let newer = older; newer < 40; newer += 2) {
        const { note, proof } = tree(newer);
        expect(continued(seen(older), { from: older, note: note(), proof: proof(older) }, LOG, keys), `${older} to ${newer}`).toMatchObject({ ok: true, witnessed: { size: newer, note: note() } });
      }
    }
  });

  it('[L7] refuses a log that was cut short, one that was rewritten, and one that shows no proof; keeps what both heads say', () => {
    const known = seen(20);
    const cases = [
      { note: tree(19).note(), proof: [], says: 'now signs for 19' },
      { note: tree(20, 12).note(), proof: [], says: 'two different histories of 20' },
      { note: tree(25, 12).note(), proof: tree(25, 12).proof(20), says: 'nothing shows' },
      { note: tree(25).note(), proof: tree(25, 12).proof(20), says: 'nothing shows' },
    ];
    for (const { note, proof, says } of cases) {
      const shown = { from: 20, note, proof };
      expect(continued(known, shown, LOG, keys)).toEqual({ ok: false, problem: expect.stringContaining(says) as string, evidence: { what: 'history', held: { note: known.note }, refused: shown } });
    }
  });

  it('[L7] believes nothing that the plane did not sign for this log, and blames nobody for it', () => {
    const shown = { from: 20, proof: [], note: tree(20).note(signerFromSeed(LOG, new Uint8Array(32).fill(2))) };
    expect(continued(seen(20), shown, LOG, keys)).toMatchObject({ ok: false, evidence: null });
    expect(continued(seen(20), { from: 20, note: tree(25).note(), proof: tree(24).proof(20).slice(1) }, LOG, keys)).toMatchObject({ ok: false, evidence: null });
    expect(continued(null, { ...shown, from: 0, note: '' }, LOG, keys)).toMatchObject({ ok: false, evidence: null });
    expect(continued(null, { from: 0, note: tree(20).note(), proof: ['no hash'] }, LOG, keys)).toMatchObject({ ok: false, evidence: null });
  });

  it('[L7] goes on after a restart from the newest head that can be read, under whichever key it was signed', () => {
    const old = tree(9).note(signerFromSeed(LOG, new Uint8Array(32).fill(3)));
    const former = Buffer.from(signerFromSeed(LOG, new Uint8Array(32).fill(3)).verifierKey.publicKey).toString('base64');
    expect(restoreWitnessed([tree(12).note(), old], LOG, keys)).toMatchObject({ size: 12 });
    expect(restoreWitnessed(['damaged', old], LOG, [...keys, former])).toMatchObject({ size: 9 });
    expect(restoreWitnessed(['damaged', old], LOG, keys)).toBeNull();
  });
});
