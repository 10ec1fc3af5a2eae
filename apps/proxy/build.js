/**
 * Bundles the proxy: it starts with every agent session, and reading a hundred files is most of what can be saved there.
 * better-sqlite3 stays outside (it is native), behind a file of its own that is read only when a snapshot has counters.
 */
import { build } from 'esbuild';

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
  legalComments: 'none',
  logLevel: 'warning',
  // Bundled CommonJS packages (ws, commander) call require for Node's own modules.
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
});
