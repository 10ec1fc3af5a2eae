/**
 * `portcullis serve`: the plane's parts, opened in order and closed in reverse. What is wrong at the start is one line and exit
 * code 1; afterwards only a signal ends it. At the end proxies hear it first, and the announcement on this machine goes last, so
 * that nobody is told that no plane runs while one still does.
 */
import { homedir } from 'node:os';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { proveIdentity } from '@portcullis/policy-core';
import { announcement } from './announce.ts';
import { createApi } from './api/api.ts';
import { createHttpServer, listen } from './api/listen.ts';
import { createWriteBack } from './api/write-back.ts';
import { EXIT } from './cli/exit.ts';
import type { ExitCode } from './cli/exit.ts';
import { printable } from './cli/printable.ts';
import { NO_BALLAST } from './cli/storage.ts';
import type { Terminal } from './cli/terminal.ts';
import { makeClosers } from './closers.ts';
import type { Closers } from './closers.ts';
import { readConfig } from './config.ts';
import type { ServeConfig, ServeOptions } from './config.ts';
import { openDecisions } from './decisions/decisions.ts';
import { keepDiscovery, otherPlane } from './discovery-keeper.ts';
import { expireRestrictions } from './expiry.ts';
import { firstProxyLines } from './first-proxy.ts';
import { createFleet } from './fleet/fleet.ts';
import { followDirectory } from './follow.ts';
import type { Following } from './follow.ts';
import { join } from './join.ts';
import { ensureLocalTokens } from './local-tokens.ts';
import { DamagedLog } from './log/codec.ts';
import { LogUnavailable } from './log/same-file.ts';
import { openPlane } from './plane.ts';
import type { Plane } from './plane.ts';
import { verifierKeyText } from './verifier-key.ts';

/** Runs the plane until it is told to stop. */
export async function serve(options: ServeOptions, terminal: Terminal): Promise<ExitCode> {
  const read = readConfig(options, terminal);
  if (!read.ok) return refuse(read.problem, terminal);
  const closers = makeClosers(terminal.err);
  try {
    const problem = await openAll(read.config, terminal, closers);
    if (problem !== undefined) return refuse(problem, terminal);
    await stopped(terminal.signal);
    return EXIT.ok;
  } finally {
    await closers.closeAll();
  }
}

/** Opens everything; a problem in one line where something is in the way. */
async function openAll(config: ServeConfig, terminal: Terminal, closers: Closers): Promise<string | undefined> {
  const voice = voiceOf(config, terminal);
  const other = otherPlane(config.home, config.data);
  if (other !== undefined) return `A plane runs already that this machine's commands go to: ${other.url}, data in ${other.dataDir}, announced in ${config.home}. Stop it, or give this one a home of its own: PORTCULLIS_HOME=DIR.`;
  // Before anything is made: a taken port costs nobody a data directory, nor tokens.
  const http = createHttpServer(config.tls);
  const listened = await listen(http.server, config.host, config.port);
  if (!listened.ok) return listened.problem;
  const { listening } = listened;
  closers.add('the port', listening.close);
  const current: { following?: Following; url?: string; unannounce?: () => void } = {};
  closers.add('plane.json', () => current.unannounce?.());
  const opened = openPlane({ dataDir: config.data, now: terminal.now, onBug: voice.bug });
  if (!opened.ok) return opened.problem;
  const { plane, keys, initialised } = opened;
  closers.add('log.db', () => plane.close());
  closers.add('the printed log', plane.onRecorded((recorded) => recorded.forEach(voice.recorded)));
  const tokens = ensureLocalTokens(plane, config.home, terminal.now, randomBytes);
  if (!tokens.ok) return tokens.problem;
  const decisions = openDecisions(path.join(config.data, 'decisions.db'));
  closers.add('decisions.db', () => decisions.close());
  const fleet = createFleet({ plane, keys, decisions, dataDir: config.data, now: terminal.now });
  closers.add('fleet.db', () => fleet.close());
  closers.add('the expiry of restrictions', expireRestrictions(plane, terminal.now).close);

  const startedAtMs = terminal.now();
  const api = createApi({
    plane, fleet, decisions,
    watch: () => current.following?.status() ?? { state: 'starting', since: startedAtMs, lastScanAt: null, documents: 0, unsettled: 0, hints: false },
    directory: config.policies,
    writeBack: createWriteBack(config.policies, plane),
    hostNames: config.hostNames,
    localTokens: tokens.ids,
    identify: (nonce) => proveIdentity(keys.sign, { log: plane.state().log, nonce, url: current.url ?? '' }, plane.state().rotations),
    join: (body) => join(plane, keys.sign, body, terminal.now()),
    startedAtMs,
    now: terminal.now,
    random: randomBytes,
    complain: terminal.err,
  });
  http.open(api);
  fleet.attach(http.server);
  // Before the parts that it asks.
  closers.add('the HTTP server', listening.close);
  closers.add('the proxies', () => fleet.leave());

  const url = `${config.tls === null ? 'http' : 'https'}://${config.name}:${listening.port}`;
  current.url = url;
  const { log, publicKey } = plane.state();
  current.unannounce = keepDiscovery(config.home, { url, log, publicKey, tokens: tokens.files, pid: process.pid, dataDir: config.data, startedAt: new Date(startedAtMs).toISOString() }, terminal.err);
  voice.started({ url, config, plane, recoveryKeyPath: initialised?.recoveryKeyPath ?? null });
  if (!plane.storage().ballast) terminal.err(NO_BALLAST);
  current.following = followDirectory({ plane, directory: config.policies, pollOnly: config.pollOnly, removals: config.removals, now: terminal.now, complain: (line) => terminal.err(printable(line)), onBug: voice.bug });
  closers.add('the watcher', current.following.close);
  void current.following.first.then(() => voice.firstProxy(plane));
  return undefined;
}

interface Start {
  readonly url: string;
  readonly config: ServeConfig;
  readonly plane: Plane;
  /** Set at the first start. */
  readonly recoveryKeyPath: string | null;
}

/** What is said while it runs: lines for people, or JSON. */
function voiceOf(config: ServeConfig, terminal: Terminal) {
  return {
    recorded: (recorded: Parameters<typeof announcement>[0]): void => {
      if (config.json) terminal.out(JSON.stringify({ happened: 'recorded', ...recorded }));
      else for (const line of announcement(recorded)) terminal.out(line);
    },
    started: ({ url, plane, recoveryKeyPath }: Start): void => {
      const { log, version } = plane.state();
      const verifierKey = verifierKeyText(plane.state());
      if (config.json) {
        terminal.out(JSON.stringify({ happened: 'started', url, log, version, policies: config.policies, data: config.data, recoveryKey: recoveryKeyPath, verifierKey }));
        return;
      }
      terminal.out(`Portcullis listens on ${url}`);
      terminal.out(`  policies ${config.policies}`);
      terminal.out(`  data     ${config.data} (log ${log}, version ${version})`);
      if (recoveryKeyPath === null) return;
      terminal.out(`  The recovery key is in ${recoveryKeyPath}. Move it off this machine now: with it, hosts can follow a restored plane.`);
      terminal.out(`  The log's verifier key. Write it down elsewhere now: with it, anybody can tell this log from another (docs/audit.md).\n    ${verifierKey}`);
    },
    firstProxy: (plane: Plane): void => {
      if (config.json || plane.state().hosts.size > 0) return;
      for (const line of firstProxyLines({ policies: plane.policies().values(), directory: config.policies, cwd: terminal.cwd, userHome: homedir(), home: terminal.env['PORTCULLIS_HOME'] })) terminal.out(printable(line));
    },
    bug: (error: unknown): void => {
      if (error instanceof LogUnavailable || error instanceof DamagedLog) terminal.err(`portcullis: ${error.message}`);
      else terminal.err(`portcullis: this should not happen: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    },
  };
}

function refuse(problem: string, terminal: Terminal): ExitCode {
  terminal.err(problem);
  return EXIT.no;
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
