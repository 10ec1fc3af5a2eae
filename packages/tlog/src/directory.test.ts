/** [L4] A published log, and every way to tamper with it. */
import { describe, expect, test } from 'vitest';
import { consistencyProof, directoryTiles, inclusionProof, leafHash, openCheckpoint, signCheckpoint, signerFromSeed, verifyConsistency, verifyDirectory, verifyInclusion } from './index.ts';
import type { Checkpoint, DirectoryOptions } from './index.ts';
import { MAX_DIRECTORY_PROBLEMS } from './directory.ts';
import { entriesOf, publish, reader } from './testing/publication.ts';
import type { Files } from './testing/publication.ts';
import { seeded } from './testing/seeded.ts';

const SEED = Number(process.env['PORTCULLIS_SEED'] ?? 20261122);
const signer = signerFromSeed('plane.example/log', new Uint8Array(32).fill(1));
const key = signer.verifierKey;
const SIZE = 700;
const entries = entriesOf(SIZE);
const honest = publish(entries, signer);

function checkpointOf(files: Files): Checkpoint {
  const opened = openCheckpoint(files.get('checkpoint')!, key);
  if (!opened.ok) throw new Error(JSON.stringify(opened.problems));
  return opened.checkpoint;
}

/** What is reported of the honest files after a change to them. */
function after(change: (files: Files) => void, options: DirectoryOptions = {}): readonly string[] {
  const files = new Map([...honest].map(([path, bytes]) => [path, Uint8Array.from(bytes)] as const));
  change(files);
  const verified = verifyDirectory(reader(files), key, options);
  return verified.ok ? ['ok'] : verified.problems.map((problem) => `${problem.code} ${problem.where}`);
}

const changed = (index: number): readonly Uint8Array[] => entries.map((entry, i) => (i === index ? Buffer.from('forged') : entry));
const take = (files: Files, from: Files, ...paths: readonly string[]): void => paths.forEach((path) => files.set(path, from.get(path)!));

describe('[L4] an honest log', () => {
  test.each([0, 1, 2, 255, 256, 257, 511, 512, 700, 65_536, 66_100])('of %i entries verifies and hands out its entries in order', (size) => {
    const all = entriesOf(size);
    const seen: number[] = [];
    const verified = verifyDirectory(reader(publish(all, signer)), key, {
      onEntry: (index, entry) => {
        if (Buffer.compare(entry, all[index]!) === 0) seen.push(index);
      },
    });
    expect(verified).toMatchObject({ ok: true, size, checkpoint: { origin: 'plane.example/log', size } });
    expect(seen).toEqual(all.map((_, i) => i));
  });

  test('verifies against each checkpoint that it ever had', () => {
    const older = [0, 1, 255, 256, 257, 512, 699, 700].map((size) => checkpointOf(publish(entries.slice(0, size), signer)));
    expect(verifyDirectory(reader(honest), key, { older }).ok).toBe(true);
    for (const one of older) expect(verifyDirectory(reader(honest), key, { older: one }).ok, `size ${one.size}`).toBe(true);
  });

  test('verifies for an older checkpoint from the full files that its partial ones have become', () => {
    const early = publish(entries.slice(0, 300), signer);
    for (const path of ['tile/0/001', 'tile/entries/001']) take(early, honest, path);
    for (const path of ['tile/0/001.p/44', 'tile/entries/001.p/44']) early.delete(path);
    expect(verifyDirectory(reader(early), key)).toMatchObject({ ok: true, size: 300 });
  });

  test('gives proofs from its files', () => {
    const read = directoryTiles(reader(honest), SIZE);
    const head = checkpointOf(honest);
    const older = checkpointOf(publish(entries.slice(0, 300), signer));
    const path = inclusionProof(299, 700, read);
    const proof = consistencyProof(300, 700, read);
    const before = inclusionProof(299, 300, read);
    expect(path.ok && verifyInclusion(leafHash(entries[299]!), 299, head, path.proof)).toEqual({ ok: true });
    expect(before.ok && verifyInclusion(leafHash(entries[299]!), 299, older, before.proof)).toEqual({ ok: true });
    expect(inclusionProof(299, 2000, read)).toMatchObject({ ok: false, problems: [{ code: 'TILE_MISSING' }] });
    expect(proof.ok && verifyConsistency(older, head, proof.proof)).toEqual({ ok: true });
  });

  test('is read under either key while the key is replaced', () => {
    const next = signerFromSeed('plane.example/log', new Uint8Array(32).fill(2));
    const files = publish(entries, next);
    expect(verifyDirectory(reader(files), [key, next.verifierKey]).ok).toBe(true);
    expect(verifyDirectory(reader(files), key)).toMatchObject({ ok: false, problems: [{ code: 'SIGNATURE_MISSING', where: 'checkpoint' }] });
  });
});

describe('[L4] a log that was tampered with', () => {
  test('in one entry', () => {
    expect(after((files) => take(files, publish(changed(3), signer), 'tile/entries/000'))).toEqual(['LEAF_WRONG tile/entries/000', 'TILE_WRONG tile/0/000', 'TILE_WRONG tile/1/000.p/2', 'ROOT_WRONG checkpoint']);
  });

  test('in one entry, with its tiles made to fit', () => {
    const forged = publish(changed(3), signer);
    expect(after((files) => take(files, forged, 'tile/entries/000', 'tile/0/000', 'tile/1/000.p/2'))).toEqual(['ROOT_WRONG checkpoint']);
  });

  test('by leaving one entry out', () => {
    const forged = publish(entries.filter((_, i) => i !== 600), signer);
    expect(after((files) => files.set('tile/entries/002.p/188', forged.get('tile/entries/002.p/187')!))).toEqual(['BUNDLE_MALFORMED tile/entries/002.p/188']);
  });

  test('by adding an entry that nothing signs', () => {
    const forged = publish([...entries, Buffer.from('forged')], signer);
    expect(after((files) => files.set('tile/entries/002.p/188', forged.get('tile/entries/002.p/189')!))).toEqual(['BUNDLE_MALFORMED tile/entries/002.p/188']);
  });

  test('by swapping two entries', () => {
    const forged = publish(entries.map((entry, i) => (i === 10 ? entries[400]! : i === 400 ? entries[10]! : entry)), signer);
    expect(after((files) => [...forged.keys()].filter((path) => path !== 'checkpoint').forEach((path) => take(files, forged, path)))).toEqual(['ROOT_WRONG checkpoint']);
  });

  test('by cutting the tail and putting an old checkpoint back: found by who kept a later one, and by nobody else', () => {
    const cut = publish(entries.slice(0, 500), signer);
    expect(verifyDirectory(reader(cut), key).ok).toBe(true);
    expect(verifyDirectory(reader(cut), key, { older: checkpointOf(honest) })).toMatchObject({ ok: false, problems: [{ code: 'ROLLED_BACK' }] });
  });

  test('by rewriting history with the stolen key: found by who kept a checkpoint, and by nobody else', () => {
    const forged = publish(changed(3), signer);
    const kept = checkpointOf(publish(entries.slice(0, 600), signer));
    expect(verifyDirectory(reader(forged), key).ok).toBe(true);
    expect(verifyDirectory(reader(forged), key, { older: kept })).toMatchObject({ ok: false, problems: [{ code: 'FORKED' }] });
    expect(verifyDirectory(reader(forged), key, { older: checkpointOf(honest) })).toMatchObject({ ok: false, problems: [{ code: 'FORKED' }] });
    const before = checkpointOf(publish(entries.slice(0, 2), signer));
    for (const older of [[before, kept], [kept, before], [checkpointOf(forged), kept, before], [checkpointOf(honest), checkpointOf(forged)], [checkpointOf(forged), checkpointOf(honest)]]) expect(verifyDirectory(reader(forged), key, { older })).toMatchObject({ ok: false, problems: [{ code: 'FORKED' }] });
    expect(verifyDirectory(reader(forged), key, { older: checkpointOf(publish(entries.slice(0, 3), signer)) }).ok).toBe(true);
  });

  test('by a checkpoint of another log, or none', () => {
    const other = signerFromSeed('other.example', new Uint8Array(32).fill(1));
    expect(after((files) => take(files, publish(entries, other), 'checkpoint'))).toEqual(['SIGNATURE_MISSING checkpoint']);
    expect(after((files) => files.delete('checkpoint'))).toEqual(['CHECKPOINT_MISSING checkpoint']);
    expect(after(() => undefined, { older: { ...checkpointOf(honest), origin: 'other.example' } })).toEqual(['ORIGIN_WRONG checkpoint']);
  });

  test.each([...honest.keys()])('by removing %s', (path) => {
    expect(after((files) => files.delete(path))[0]).toMatch(new RegExp(`^[A-Z]+_MISSING ${path.replaceAll('.', '\\.')}$`));
  });

  test.each([...honest.keys()].filter((path) => path !== 'checkpoint'))('by one byte more or less in %s', (path) => {
    expect(after((files) => files.set(path, files.get(path)!.subarray(1)))).not.toContain('ok');
    expect(after((files) => files.set(path, Buffer.concat([files.get(path)!, Buffer.from([0])])))).not.toContain('ok');
    expect(after((files) => files.set(path, Buffer.concat([files.get(path)!, Buffer.alloc(32)])))).not.toContain('ok');
  });

  test('in any one bit of any file', () => {
    const random = seeded(SEED);
    const paths = [...honest.keys()];
    for (let round = 0; round < 300; round += 1) {
      const path = paths[random.below(paths.length)]!;
      expect(after((files) => files.set(path, random.flipped(files.get(path)!))), `seed ${SEED}, round ${round}, ${path}`).not.toContain('ok');
    }
  });

  test('all over: the report ends at its bound and says so', () => {
    const forged = publish(entriesOf(SIZE, 'forged'), signer);
    let read = 0;
    const problems = after((files) => take(files, forged, 'tile/entries/000', 'tile/entries/001'), { onEntry: () => (read += 1) });
    expect(read).toBe(256);
    expect(problems.length).toBe(MAX_DIRECTORY_PROBLEMS);
    expect(problems.at(-1)).toMatch(/^TOO_MANY/);
  });

  test('by a size that the files do not hold ends at the first that is missing', () => {
    const started = performance.now();
    const note = signCheckpoint({ origin: 'plane.example/log', size: Number.MAX_SAFE_INTEGER, root: new Uint8Array(32) }, signer);
    const files: Files = new Map([['checkpoint', Buffer.from(note)]]);
    expect(verifyDirectory(reader(files), key)).toMatchObject({ ok: false, problems: [{ code: 'BUNDLE_MISSING', where: 'tile/entries/000' }] });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
