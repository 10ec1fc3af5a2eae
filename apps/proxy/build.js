/**
 * Bundles the proxy into one file: a proxy starts with every agent session, and one file read is most of what can be saved there.
 * better-sqlite3 stays outside (it is native) and is loaded only when a snapshot has counters.
 */
import { build } from 'esbuild';

await build({
  entryPoints: ['src/main.ts'],
  outfile: 'dist/portcullis-proxy.js',
  bundle: true,
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
