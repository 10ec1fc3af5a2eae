/**
 * Bundles the proxy: it starts with every agent session, and reading a hundred files is most of what can be saved there.
 * better-sqlite3 stays outside (it is native), behind a file of its own that is read only when a snapshot has counters.
 */
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

// Chunks are named by their content: those of earlier builds would stay for ever.
for (const file of existing()) if (/^portcullis-proxy-.*\.js(\.map)?$/.test(file)) rmSync(`dist/${file}`);

await build({
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  entryNames: 'portcullis-proxy',
  chunkNames: 'portcullis-proxy-[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['better-sqlite3'],
  conditions: ['portcullis-source'],
  sourcemap: true,
  // A third less to read at every start; names stay, so that a stack still says where.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  // Bundled CommonJS packages (ws, commander) call require for Node's own modules.
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
});

function existing() {
  try {
    return readdirSync('dist');
  } catch {
    return [];
  }
}
