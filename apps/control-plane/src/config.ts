/** What `portcullis serve` was told, made certain before anything is opened. */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import { portcullisHome } from './discovery.ts';
import { holdsLog } from './log/beginning.ts';

/** As the command line has it. */
export interface ServeOptions {
  readonly policies: string;
  readonly data: string;
  readonly listen: string;
  readonly removals?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly publicName?: readonly string[];
  readonly poll?: boolean;
  readonly json?: boolean;
}

export interface ServeConfig {
  /** Absolute. */
  readonly policies: string;
  readonly data: string;
  readonly home: string;
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null;
  /** The name under which others find the plane; part of its URL. */
  readonly name: string;
  /** Host names, lower case and without port, under which it answers. */
  readonly hostNames: ReadonlySet<string>;
  readonly removals: 'wait' | 'accept';
  readonly pollOnly: boolean;
  readonly json: boolean;
}

export type ConfigRead = { readonly ok: true; readonly config: ServeConfig } | { readonly ok: false; readonly problem: string };

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/** Reads the options; the problem is one line that says what to change. */
export function readConfig(options: ServeOptions, { env, cwd }: { readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string }): ConfigRead {
  const policies = path.resolve(cwd, options.policies);
  const data = path.resolve(cwd, options.data);
  // At the first start a typo. Later what is in force is in the log, and a lockdown must not wait for a directory: the watcher records that it is away.
  if (!isDirectory(policies) && !holdsLog(data)) return no(`The policy directory ${policies} is not there. Create it, or name another with --policies.`);
  if (options.removals !== undefined && options.removals !== 'accept') return no(`--removals takes \`accept\`, or is left out; ${JSON.stringify(options.removals)} is neither.`);
  const place = readListen(options.listen);
  if (place === undefined) return no(`--listen ${JSON.stringify(options.listen)} is no address. Write HOST:PORT, 127.0.0.1:7420 for example, or [::1]:7420.`);
  const tls = readTls(options, cwd);
  if (!tls.ok) return tls;
  if (tls.value === null && !isLoopback(place.host)) {
    return no(`${options.listen} can be reached from other machines, and without TLS tokens and policies would travel in the clear. Add --tls-cert and --tls-key, or listen on 127.0.0.1.`);
  }
  const names = (options.publicName ?? []).map((name) => name.toLowerCase());
  const badName = names.find((name) => !/^[a-z0-9.-]{1,253}$|^\[[0-9a-f:.]{2,45}\]$/.test(name));
  if (badName !== undefined) return no(`--public-name ${JSON.stringify(badName)} is no host name. Leave out scheme and port.`);
  if (isWildcard(place.host) && names.length === 0) return no(`${options.listen} stands for every address of this machine. Say with --public-name under which name it is asked.`);
  const own = isWildcard(place.host) ? [] : [inUrl(place.host)];
  const local = isLoopback(place.host) || isWildcard(place.host) ? LOOPBACK_NAMES : [];
  return {
    ok: true,
    config: {
      policies,
      data,
      home: portcullisHome(env),
      ...place,
      tls: tls.value,
      name: names[0] ?? inUrl(place.host),
      hostNames: new Set([...names, ...own, ...local]),
      removals: options.removals === 'accept' ? 'accept' : 'wait',
      pollOnly: options.poll === true,
      json: options.json === true,
    },
  };
}

/** `host:port`, `[v6]:port`. */
function readListen(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, bracketed, plain, portText] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(portText);
  if (host === undefined || port > 65_535 || (bracketed !== undefined && isIP(bracketed) !== 6)) return undefined;
  return { host: host.toLowerCase(), port };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function inUrl(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

type TlsRead = { readonly ok: true; readonly value: ServeConfig['tls'] } | { readonly ok: false; readonly problem: string };

function readTls({ tlsCert, tlsKey }: ServeOptions, cwd: string): TlsRead {
  if (tlsCert === undefined && tlsKey === undefined) return { ok: true, value: null };
  if (tlsCert === undefined || tlsKey === undefined) return no('--tls-cert and --tls-key belong together; one is missing.');
  try {
    const value = { cert: readFileSync(path.resolve(cwd, tlsCert)), key: readFileSync(path.resolve(cwd, tlsKey)) };
    createSecureContext(value);
    return { ok: true, value };
  } catch (error) {
    return no(`The certificate ${tlsCert} with the key ${tlsKey} cannot be used: ${error instanceof Error ? error.message : String(error)}. Both are PEM files, and the key is the certificate's.`);
  }
}

function isDirectory(absolute: string): boolean {
  try {
    return statSync(absolute).isDirectory();
  } catch {
    return false;
  }
}

function no(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}
