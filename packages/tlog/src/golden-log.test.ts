/** Builds the golden log of transparency-dev/tessera from its fifteen words and compares each file, byte for byte. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { bundlePath, directoryTiles, emptyEdge, encodeBundle, encodeVerifierKey, extend, headOf, inclusionProof, leafHash, openCheckpoint, parseSignerKey, parseVerifierKey, partialTile, signCheckpoint, tilePath, verifyDirectory, verifyInclusion } from './index.ts';

const FOLDER = fileURLToPath(new URL('../../../test/vectors/tlog/tessera-golden/', import.meta.url));
const WORDS = 'one two three four five six seven eit nain ten ileven twelf threeten fourten fivten'.split(' ').map((word) => Buffer.from(word));
const ORIGIN = 'example.com/log/testdata';
// Published with the log, for tests.
const SIGNER_KEY = 'PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg';
const VERIFIER_KEY = 'example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx';

const parsedSigner = parseSignerKey(SIGNER_KEY);
const parsedKey = parseVerifierKey(VERIFIER_KEY);
if (!parsedSigner.ok || !parsedKey.ok) throw new Error('the published keys must parse');
const { signer } = parsedSigner;
const { key } = parsedKey;

function build(): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  let edge = emptyEdge();
  for (let size = 0; ; size += 1) {
    const note = Buffer.from(signCheckpoint({ origin: ORIGIN, ...headOf(edge) }, signer));
    files.set(`checkpoint.${size}`, note);
    files.set('checkpoint', note);
    const tile = partialTile(edge, 0);
    if (tile !== undefined) {
      files.set(tilePath(0, 0, size), Buffer.from(tile));
      files.set(bundlePath(0, size), Buffer.from(encodeBundle(WORDS.slice(0, size))));
    }
    const word = WORDS[size];
    if (word === undefined) return files;
    edge = extend(edge, leafHash(word)).edge;
  }
}

const published = readdirSync(FOLDER, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(FOLDER.length));
const read = (path: string): Uint8Array | undefined => (published.includes(path) ? readFileSync(FOLDER + path) : undefined);

describe('[L4] the golden log', () => {
  const built = build();

  test('has 46 files and the current checkpoint, and we write just those', () => {
    expect(published.length).toBe(47);
    expect([...built.keys()].sort()).toEqual([...published].sort());
  });

  test.each(published)('%s', (path) => {
    expect(built.get(path)?.equals(readFileSync(FOLDER + path))).toBe(true);
  });

  test('verifies, with its keys as published, against each of its own older checkpoints', () => {
    expect(encodeVerifierKey(signer.verifierKey)).toBe(VERIFIER_KEY);
    const older = Array.from({ length: 16 }, (_, size) => {
      const opened = openCheckpoint(readFileSync(`${FOLDER}checkpoint.${size}`), key);
      if (!opened.ok) throw new Error(`checkpoint.${size}: ${JSON.stringify(opened.problems)}`);
      return opened.checkpoint;
    });
    const verified = verifyDirectory(read, key, { older });
    expect(verified).toMatchObject({ ok: true, size: 15 });
  });

  test('gives a valid inclusion proof for each word from its tiles', () => {
    const opened = openCheckpoint(readFileSync(`${FOLDER}checkpoint`), key);
    if (!opened.ok) throw new Error('the checkpoint must open');
    WORDS.forEach((word, index) => {
      const made = inclusionProof(index, WORDS.length, directoryTiles(read, WORDS.length));
      expect(made.ok && verifyInclusion(leafHash(word), index, opened.checkpoint, made.proof)).toEqual({ ok: true });
    });
  });
});
