/** Runs of the official conformance suite, and what came of each check. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { ROOT, until } from '../world/process.ts';

export type Revision = '2025-11-25' | '2026-07-28';

/** `scenario · check · status`, each as often as it came, sorted; what is only information is left out. */
export type Outcome = readonly string[];

const SUITE = join(dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')), 'dist/index.js');
const REGISTER = pathToFileURL(join(import.meta.dirname, 'node20/register.js')).href;
const PATIENCE_MS = 60_000;

export function runServerSuite(url: string, revision: Revision): Promise<Outcome> {
  return run(['server', '--url', url, '--requirements', revision]);
}

/** Client scenarios that a client on stdio can be in at all: the others are about OAuth, which stdio does not have. */
export const CLIENT_SCENARIOS: readonly (readonly [string, Revision])[] = [
  ['initialize', '2025-11-25'],
  ['tools_call', '2025-11-25'],
  ['tools_call', '2026-07-28'],
  ['elicitation-sep1034-client-defaults', '2025-11-25'],
  ['sse-retry', '2025-11-25'],
  ['json-schema-2020-12-preservation', '2025-11-25'],
  ['json-schema-2020-12-preservation', '2026-07-28'],
  ['json-schema-ref-no-deref', '2026-07-28'],
  ['request-metadata', '2026-07-28'],
  ['sep-2322-client-request-state', '2026-07-28'],
  ['http-standard-headers', '2026-07-28'],
  ['http-custom-headers', '2026-07-28'],
  ['http-invalid-tool-headers', '2026-07-28'],
];

/** One scenario, in which the fixture's client speaks HTTP itself, or stdio to the bridge. */
export function runClientScenario({ directory }: Programs, [scenario, revision]: readonly [string, Revision], through: boolean): Promise<Outcome> {
  const command = [process.execPath, join(directory, 'fixture-client.mjs'), ...(through ? ['through'] : [])];
  return run(['client', '--command', command.join(' '), '--scenario', scenario, '--spec-version', revision]);
}

async function run(args: readonly string[]): Promise<Outcome> {
  const out = mkdtempSync(join(tmpdir(), 'portcullis-conformance-'));
  try {
    const child = spawn(process.execPath, ['--import', REGISTER, SUITE, ...args, '-o', out], { stdio: ['ignore', 'ignore', 'ignore'], cwd: ROOT });
    await new Promise((resolve) => child.on('close', resolve));
    return outcomesIn(out);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

interface Check {
  readonly id: string;
  readonly status: string;
}

function outcomesIn(directory: string): Outcome {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('checks.json'));
  return files
    .flatMap((file) => {
      // The folder is named for the scenario and the moment.
      const scenario = dirname(file).replace(/^.*\/(?=auth\/)/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '').replace(/^(server|client)-/, '');
      const checks = JSON.parse(readFileSync(join(directory, file), 'utf8')) as readonly Check[];
      return checks.filter(({ status }) => status !== 'INFO').map(({ id, status }) => `${scenario} · ${id} · ${status}`);
    })
    .sort();
}

/** What came in one run and not in the other, as often as it differs. */
export function differences(direct: Outcome, proxied: Outcome): string[] {
  const left = [...proxied];
  const missing = direct.filter((one) => {
    const at = left.indexOf(one);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return [...missing.map((one) => `- ${one}`), ...left.map((one) => `+ ${one}`)].sort();
}

export interface Fixture {
  readonly url: string;
  close(): void;
}

/** The fixture's programs, each in one file: they are started hundreds of times. */
export interface Programs {
  readonly directory: string;
  /** The fixture over stdio, as a command. */
  readonly stdio: readonly string[];
  remove(): void;
}

export async function buildPrograms(): Promise<Programs> {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-conformance-'));
  await build({
    entryPoints: ['fixture-http', 'fixture-stdio', 'fixture-client', 'bridge-program'].map((name) => join(import.meta.dirname, `${name}.ts`)),
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['portcullis-source'],
    logLevel: 'error',
    // Packages in CommonJS ask for built-in modules at run time.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return { directory, stdio: [process.execPath, join(directory, 'fixture-stdio.mjs')], remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** The fixture as an HTTP server of its own process. */
export async function startFixture({ directory }: Programs): Promise<Fixture> {
  const child = spawn(process.execPath, [join(directory, 'fixture-http.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const url = await until('the fixture to listen', () => /^(http:\S+)\n/m.exec(said)?.[1], PATIENCE_MS);
  return { url, close: () => void child.kill('SIGKILL') };
}
