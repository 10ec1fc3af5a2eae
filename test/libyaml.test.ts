/** No other reader of YAML sees something else than we do: what libyaml read of some hundreds of damaged policies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collectFindings } from '../packages/policy-core/src/parse/findings.ts';
import type { Node } from '../packages/policy-core/src/parse/nodes.ts';
import { decodeSource } from '../packages/policy-core/src/parse/source.ts';
import { readYaml } from '../packages/policy-core/src/parse/yaml.ts';

type Tree = readonly ['s', string, boolean] | readonly ['l', readonly Tree[]] | readonly ['m', readonly (readonly [Tree, Tree])[]];

const VECTORS = JSON.parse(readFileSync(join(import.meta.dirname, 'vectors/libyaml/trees.json'), 'utf8')) as readonly { readonly text: string; readonly tree: Tree | null }[];

function read(text: string): Tree | null {
  const decoded = decodeSource(new TextEncoder().encode(text));
  const findings = collectFindings('vector.yaml', decoded.text);
  const read = decoded.ok ? readYaml(decoded.text, findings) : null;
  const tree = findings.failed ? null : read;
  // A policy is a mapping; anything else is refused one step later.
  return tree?.root?.kind === 'map' ? treeOf(tree.root) : null;
}

function treeOf(node: Node): Tree {
  switch (node.kind) {
    case 'scalar':
      return ['s', node.text, node.plain];
    case 'list':
      return ['l', node.items.map(treeOf)];
    case 'map':
      return ['m', [...node.pairs.values()].map(({ key, value }) => [treeOf(key), treeOf(value)] as const)];
  }
}

describe('libyaml', () => {
  it('read some and refused others', () => {
    expect(VECTORS.filter(({ tree }) => tree === null).length).toBeGreaterThan(100);
    expect(VECTORS.filter(({ text, tree }) => tree !== null && read(text) !== null).length).toBeGreaterThan(200);
  });

  it.each(VECTORS.map(({ text, tree }) => [text, tree] as const))('%j', (text, tree) => {
    const ours = read(text);
    if (ours !== null) expect(ours).toEqual(tree);
  });
});
