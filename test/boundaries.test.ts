/** Who may import what, with the reason. Pure code touches no I/O; the two apps meet in the packages only. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

interface Boundary {
  /** Files it speaks about. */
  readonly inside: RegExp;
  /** What they may import besides files inside the same boundary: package names, `node:` modules, or repository paths. */
  readonly may: readonly RegExp[];
  readonly because: string;
}

const BOUNDARIES: readonly Boundary[] = [
  {
    inside: /^packages\/policy-core\/src\//,
    may: [/^yaml$/, /^re2js$/, /^node:crypto$/, /^node:buffer$/, /^node:net$/],
    because: 'the language, the snapshot and the wire run identically in plane, proxy, command line and tests: no I/O, no clock',
  },
  { inside: /^packages\/tlog\/src\//, may: [/^node:crypto$/, /^node:buffer$/], because: 'an auditor reads this package; it hashes and verifies values' },
  {
    inside: /^packages\/policy-files\/src\//,
    may: [/^@portcullis\/policy-core$/, /^node:/],
    because: 'the plane and a proxy that runs alone watch policy files in one way; whoever watches knows nothing of logs, sockets and calls',
  },
  {
    inside: /^apps\/control-plane\/src\/domain\//,
    may: [/^@portcullis\/policy-core$/, /^node:crypto$/],
    because: 'replaying the log must be deterministic: events and state are values',
  },
  {
    inside: /^apps\/proxy\/src\/guard\//,
    may: [/^@portcullis\/policy-core$/, /^@portcullis\/tlog$/, /^node:crypto$/],
    because: 'the guard is what a simulation runs: no sockets, no files, no clock',
  },
  {
    inside: /^apps\/proxy\/src\/relay\//,
    may: [/^@portcullis\/policy-core(\/(plumbing|strict-json))?$/, /^node:(?!http|https|net|fs|child_process$)/, /^apps\/proxy\/src\/upstream\//],
    because: 'the relay moves bytes between agent and upstream and never waits for the plane or the disk',
  },
  {
    inside: /^apps\/proxy\/src\//,
    may: [/^@portcullis\/(policy-core(\/(plumbing|strict-json|suggestion))?|policy-files|tlog)$/, /^node:/, /^ws$/, /^cross-spawn$/, /^better-sqlite3$/, /^apps\/proxy\//],
    because: 'no MCP SDK in the data path, and nothing of the control plane on hosts',
  },
  {
    inside: /^apps\/control-plane\/src\//,
    may: [/^@portcullis\/(policy-core|policy-core\/identity|policy-files|tlog)$/, /^node:/, /^ws$/, /^better-sqlite3$/, /^hono(\/|$)/, /^@hono\//, /^zod$/, /^commander$/, /^diff$/, /^apps\/control-plane\//],
    because: 'the plane never imports the proxy: they agree through the packages',
  },
];

/** Some outside things belong to one place. */
const OWNED: readonly { readonly module: RegExp; readonly by: RegExp; readonly because: string }[] = [
  { module: /^better-sqlite3$/, by: /^apps\/(control-plane\/src\/(log|decisions|fleet)\/|proxy\/src\/store\/)/, because: 'SQL is known to the stores only' },
  { module: /^node:fs/, by: /^packages\/policy-files\/src\/|^apps\/(control-plane\/src\/(log|cli|decisions|fleet)\/|control-plane\/src\/(api\/write-back|[a-z-]+)\.ts|proxy\/src\/(store|host|doctor)\/|proxy\/src\/(link\/footing|alone\/place)|proxy\/src\/[a-z-]+\.ts)/, because: 'files are read and written at the edges, never in what decides' },
  { module: /^commander$/, by: /^apps\/control-plane\/src\/(cli\/|main)/, because: 'the command line is read in one place' },
  { module: /^@hono\/|^hono/, by: /^apps\/control-plane\/src\/(api\/|serve|join)/, because: 'HTTP is spoken in one place' },
];

describe('imports', () => {
  const files = sources();

  for (const boundary of BOUNDARIES) {
    it(`${boundary.inside.source}: ${boundary.because}`, () => {
      const inside = files.filter((file) => boundary.inside.test(file));
      expect(inside.length, 'a boundary around nothing protects nothing').toBeGreaterThan(0);
      const crossings = inside.flatMap((file) =>
        importsOf(file)
          .filter((target) => !boundary.inside.test(target) && !boundary.may.some((allowed) => allowed.test(target)))
          .map((target) => `${file} imports ${target}`),
      );
      expect(crossings).toEqual([]);
    });
  }

  for (const owned of OWNED) {
    it(`${owned.module.source}: ${owned.because}`, () => {
      const elsewhere = files.filter((file) => !owned.by.test(file) && importsOf(file).some((target) => owned.module.test(target)));
      expect(elsewhere).toEqual([]);
    });
  }
});

function sources(): readonly string[] {
  return ['packages', 'apps'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path) && !path.endsWith('.test.ts') && !path.endsWith('.suite.ts'))
      .map((path) => join(folder, path)),
  );
}

/** Static, dynamic and type imports; relative ones as paths from the root. */
function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const found = text.matchAll(/^\s*(?:import|export)\b[^'"]*?\bfrom\s*['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm);
  const specifiers = [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
  return specifiers.map((specifier) => (specifier.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), specifier)) : specifier));
}
