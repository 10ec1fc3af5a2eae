/** [L4] A witness takes only what continues the log that it knows; a proof file stands by itself. */
import { describe, expect, test } from 'vitest';
import { consistencyProof, directoryTiles, encodeProofFile, inclusionProof, parseProofFile, signCheckpoint, signerFromSeed, verifyProofFile, witness } from './index.ts';
import type { Checkpoint } from './index.ts';
import { entriesOf, publish, reader } from './testing/publication.ts';
import { seeded } from './testing/seeded.ts';

const SEED = Number(process.env['PORTCULLIS_SEED'] ?? 20261122);
const signer = signerFromSeed('plane.example/log', new Uint8Array(32).fill(1));
const key = signer.verifierKey;
const entries = entriesOf(400);
const files = publish(entries, signer);
const read = directoryTiles(reader(files), 400);

const noteAt = (size: number, word?: string): Uint8Array => publish(entriesOf(size, word), signer).get('checkpoint')!;

function proofBetween(m: number, n: number): readonly Uint8Array[] {
  const made = consistencyProof(m, n, read);
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.proof;
}

function known(size: number, word?: string): Checkpoint {
  const accepted = witness(null, noteAt(size, word), [], key);
  if (!accepted.ok) throw new Error(JSON.stringify(accepted.problems));
  return accepted.checkpoint;
}

const codeOf = (outcome: ReturnType<typeof witness>): string => (outcome.ok ? 'ok' : outcome.problems.map((problem) => problem.code).join());

describe('[L4] a witness', () => {
  test('follows the log step by step', () => {
    let last = known(1);
    for (const size of [2, 3, 200, 256, 257, 400, 400]) {
      const taken = witness(last, noteAt(size), proofBetween(last.size, size), key);
      expect(taken).toMatchObject({ ok: true, checkpoint: { size } });
      if (taken.ok) last = taken.checkpoint;
    }
  });

  test.each([
    ['a log that became shorter', 300, noteAt(200), [], 'ROLLED_BACK'],
    ['another history of the same length', 300, noteAt(300, 'forged'), [], 'FORKED'],
    ['another history that is longer', 300, noteAt(400, 'forged'), proofBetween(300, 400), 'PROOF_WRONG'],
    ['a longer log without a proof', 300, noteAt(400), [], 'PROOF_MALFORMED'],
    ['the proof of another step', 300, noteAt(400), proofBetween(299, 400), 'PROOF_MALFORMED'],
    ['the empty tree', 300, noteAt(0), [], 'SIZE_ZERO'],
    ['a proof where there is nothing to prove', 300, noteAt(300), proofBetween(300, 400), 'PROOF_MALFORMED'],
    ['a note that is cut', 300, noteAt(400).subarray(0, 50), proofBetween(300, 400), 'NOTE_MALFORMED'],
  ])('refuses %s', (_, size, note, proof, code) => expect(codeOf(witness(known(size), note, proof, key))).toBe(code));

  test('begins with no checkpoint of the empty tree, and never goes on from one', () => {
    expect(codeOf(witness(null, noteAt(0), [], key))).toBe('SIZE_ZERO');
    expect(codeOf(witness({ ...known(1), size: 0 }, noteAt(400), [], key))).toBe('SIZE_ZERO');
  });

  test('does not follow to another log, even under a key that it knows', () => {
    const other = signerFromSeed('other.example', new Uint8Array(32).fill(2));
    const note = signCheckpoint({ ...known(400), origin: 'other.example' }, other);
    expect(codeOf(witness(known(400), note, [], [key, other.verifierKey]))).toBe('ORIGIN_WRONG');
    expect(codeOf(witness(known(400), note, [], key))).toBe('SIGNATURE_MISSING');
  });
});

describe('[L4] a proof file', () => {
  const note = Buffer.from(noteAt(400)).toString();
  const made = inclusionProof(3, 400, read);
  if (!made.ok) throw new Error('the proof must be made');
  const text = encodeProofFile({ index: 3, proof: made.proof, checkpoint: note });

  test('has the lines of tlog-proof and shows its entry, and no other', () => {
    expect(text.split('\n').slice(0, 2)).toEqual(['c2sp.org/tlog-proof@v1', 'index 3']);
    expect(text.endsWith(`\n\n${note}`)).toBe(true);
    expect(verifyProofFile(text, entries[3]!, key)).toMatchObject({ ok: true, index: 3, checkpoint: { size: 400 } });
    expect(verifyProofFile(text, entries[4]!, key)).toMatchObject({ ok: false, problems: [{ code: 'PROOF_WRONG' }] });
    expect(verifyProofFile(text, entries[3]!, signerFromSeed('x', new Uint8Array(32)).verifierKey)).toMatchObject({ ok: false, problems: [{ code: 'SIGNATURE_MISSING' }] });
  });

  test('carries extra data there and back, and is the whole log of one entry', () => {
    const extra = Uint8Array.of(1, 2, 3);
    const one = encodeProofFile({ index: 0, proof: [], checkpoint: Buffer.from(noteAt(1)).toString(), extra });
    const parsed = parseProofFile(one);
    expect(parsed.ok && parsed.file.extra).toEqual(extra);
    expect(verifyProofFile(one, entries[0]!, key)).toMatchObject({ ok: true, index: 0, checkpoint: { size: 1 } });
  });

  test.each([
    ['another first line', text.replace('@v1', '@v2')], ['no index', text.replace('index 3\n', '')], ['a leading zero', text.replace('index 3', 'index 03')],
    ['an index too large to be exact', text.replace('index 3', 'index 9007199254740993')], ['broken extra', text.replace('index', 'extra *\nindex')],
    ['a hash that is none', text.replace('index 3\n', 'index 3\nAAAA\n')], ['no blank line', text.replaceAll('\n\n', '\n')], ['nothing', ''],
    ['too much', text + 'x'.repeat(400_000)],
  ])('is refused with %s', (_, broken) => expect(verifyProofFile(broken, entries[3]!, key)).toMatchObject({ ok: false, problems: [{ code: 'PROOF_MALFORMED' }] }));

  test('is refused after any one bit is turned', () => {
    const random = seeded(SEED);
    const bytes = Buffer.from(text);
    for (let round = 0; round < 2000; round += 1) {
      const broken = Buffer.from(random.flipped(bytes)).toString('utf8');
      expect(verifyProofFile(broken, entries[3]!, key).ok, `seed ${SEED}, round ${round}`).toBe(false);
    }
  });
});
