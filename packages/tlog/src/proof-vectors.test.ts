/** The 196 published proof vectors of transparency-dev/merkle, and the tree that Certificate Transparency has always been tested with. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { emptyEdge, extend, inclusionProof, leafHash, rootOf, verifyConsistency, verifyInclusion } from './index.ts';
import type { Edge } from './index.ts';
import { edgeTiles } from './edge.ts';

const FOLDER = fileURLToPath(new URL('../../../test/vectors/tlog/rfc6962/testdata/', import.meta.url));

interface Vector {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string;
  readonly leafHash: string;
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

function vectors(kind: string): readonly { name: string; vector: Vector }[] {
  return readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.startsWith(kind + sep) && name.endsWith('.json'))
    .map((name) => ({ name, vector: JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Vector }));
}

/** The vectors hold roots that are no hashes on purpose, so they are decoded leniently. */
const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');

describe('[L4] published proof vectors', () => {
  test('all 196 are there', () => {
    expect(vectors('inclusion').length + vectors('consistency').length).toBe(196);
  });

  test.each(vectors('inclusion'))('$name', ({ vector }) => {
    const head = { size: vector.treeSize, root: bytes(vector.root) };
    const outcome = verifyInclusion(bytes(vector.leafHash), vector.leafIdx, head, (vector.proof ?? []).map(bytes));
    expect(outcome.ok).toBe(!vector.wantErr);
  });

  test.each(vectors('consistency'))('$name', ({ vector }) => {
    const older = { size: vector.size1, root: bytes(vector.root1) };
    const newer = { size: vector.size2, root: bytes(vector.root2) };
    const outcome = verifyConsistency(older, newer, (vector.proof ?? []).map(bytes));
    expect(outcome.ok).toBe(!vector.wantErr);
  });
});

describe('the Certificate Transparency reference tree', () => {
  const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
  const ROOTS = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ];
  const grown = LEAVES.reduce<readonly Edge[]>((edges, leaf) => [...edges, extend(edges.at(-1) ?? emptyEdge(), leafHash(Buffer.from(leaf, 'hex'))).edge], [emptyEdge()]);

  test.each(ROOTS.map((root, size) => ({ root, size })))('root at size $size', ({ root, size }) => {
    expect(Buffer.from(rootOf(grown[size]!)).toString('hex')).toBe(root);
  });

  test.each([
    { leaf: 0, size: 8, path: ['96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7', '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e', '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4'] },
    { leaf: 5, size: 8, path: ['bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b', 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0', 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'] },
    { leaf: 2, size: 3, path: ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'] },
  ])('audit path of leaf $leaf at size $size', ({ leaf, size, path }) => {
    const made = inclusionProof(leaf, size, edgeTiles(grown.at(-1)!, () => undefined));
    expect(made.ok && made.proof.map((one) => Buffer.from(one).toString('hex'))).toEqual(path);
  });
});
