/** The gate: lockdown, restrict, lift. */
import { createInterface } from 'node:readline/promises';
import type { Restriction } from '@portcullis/policy-core';
import type { StatusView } from '../api/views.ts';
import type { ProxyView } from '../fleet/fleet.ts';
import { fail, print, withPlane } from './command.ts';
import type { PlaneOptions } from './command.ts';
import type { Answered, Connection } from './connection.ts';
import { DEFAULT_TIMEOUT_MS, enforcedExit, progressLines, waitUntilEnforced } from './enforced.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { restrictionText } from './happening.ts';
import { printable } from './printable.ts';
import { moment } from './table.ts';
import type { Terminal } from './terminal.ts';

/** Proxies named in a question; the rest is counted. */
const MAX_NAMED = 8;

export interface RestrictOptions extends PlaneOptions {
  readonly reason: string;
  readonly tool?: readonly string[];
  readonly readOnly?: boolean;
  readonly server?: readonly string[];
  readonly label?: Readonly<Record<string, readonly string[]>>;
  readonly ttl?: number;
  readonly timeout?: number;
}

export interface LiftOptions extends PlaneOptions {
  readonly reason: string;
  readonly yes?: boolean;
  readonly expect?: number;
  readonly timeout?: number;
}

interface Imposed {
  readonly version: number;
  readonly restriction: Restriction | null;
}

/** Imposes, then waits until every connected proxy enforces it: exit 0 only then. */
export async function restrict(options: RestrictOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const { tool, readOnly, server, label, ttl, reason } = options;
    const body = { server: server ?? [], labels: label ?? {}, tools: tool ?? null, readOnly: readOnly ?? false, ttlMs: ttl ?? null, reason };
    const imposed = await impose(plane, body, terminal);
    if (!imposed.ok) return fail(imposed.failure, options, terminal);
    const { version, restriction } = imposed.value;
    if (restriction !== null && options.json !== true) terminal.out(imposedLine(version, restriction));
    const progress = await waitUntilEnforced(plane, version, options.timeout ?? DEFAULT_TIMEOUT_MS, terminal);
    if (progress.ok) {
      print({ version, restriction, progress: progress.value }, options, terminal, () => [
        ...progressLines(progress.value, terminal.now()),
        ...(restriction === null ? [] : [`To end it: portcullis lift ${restriction.id} --reason "…" --as admin`]),
      ]);
    } else if (restriction !== null) terminal.err(`The restriction ${printable(restriction.id)} is recorded and in force; only how far it has come is not known.`);
    return enforcedExit(progress, options, terminal);
  });
}

/** What is restricted already is no failure: in an incident two people give the same command, and both want to see it take effect. */
async function impose(plane: Connection, body: object, terminal: Terminal): Promise<Answered<Imposed>> {
  const imposed = await plane.send<Imposed>('POST', '/v1/restrictions', body);
  if (imposed.ok || imposed.failure.code !== 'already-done') return imposed;
  const status = await plane.get<StatusView>('/v1/status');
  if (!status.ok) return status;
  terminal.err(imposed.failure.message);
  return { ok: true, value: { version: status.value.version, restriction: null } };
}

function imposedLine(version: number, restriction: Restriction): string {
  const end = restriction.expiresAtMs === null ? 'until it is lifted' : `until ${moment(restriction.expiresAtMs)}`;
  return printable(`${restriction.id} is in force as version ${version}: denies ${restrictionText(restriction)}, ${end}. Reason: ${restriction.reason}`);
}

interface Opened {
  readonly restriction: Restriction;
  readonly proxies: readonly ProxyView[];
  readonly stays: readonly Restriction[];
}

/** Says what becomes possible again, asks, lifts, and waits until it is so everywhere. */
export async function lift(id: string, options: LiftOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const path = `/v1/restrictions/${encodeURIComponent(id)}`;
    const opened = await plane.get<Opened>(path);
    if (!opened.ok) return fail(opened.failure, options, terminal);
    if (options.yes !== true) {
      for (const line of openedLines(opened.value)) terminal.err(printable(line));
      if (!terminal.interactive) {
        terminal.err('Nothing was lifted. Add --yes to lift it without being asked.');
        return EXIT.usage;
      }
      if (!(await confirmed('Lift it? [y/N] ', terminal))) {
        terminal.err('Nothing was lifted.');
        return EXIT.no;
      }
    }
    const lifted = await plane.send<{ readonly version: number }>('POST', `${path}/lift`, { reason: options.reason, expected: options.expect ?? null });
    if (!lifted.ok) return fail(lifted.failure, options, terminal);
    const { version } = lifted.value;
    if (options.json !== true) terminal.out(printable(`${id} is lifted as of version ${version}.`));
    const progress = await waitUntilEnforced(plane, version, options.timeout ?? DEFAULT_TIMEOUT_MS, terminal);
    if (progress.ok) print({ version, restriction: opened.value.restriction, progress: progress.value }, options, terminal, () => progressLines(progress.value, terminal.now()));
    return enforcedExit(progress, options, terminal);
  });
}

function openedLines({ restriction, proxies, stays }: Opened): readonly string[] {
  const named = proxies.slice(0, MAX_NAMED).map((proxy) => `${proxy.hostName}/${proxy.server}`);
  const more = proxies.length - named.length;
  return [
    `${restriction.id} denies ${restrictionText(restriction)}, since ${moment(restriction.imposedAtMs)}. Reason: ${restriction.reason}`,
    proxies.length === 0 ? 'It is about no proxy that is known.' : `Once lifted, their policies alone decide again on: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`,
    ...stays.map((other) => `Still in force there: ${other.id}, which denies ${restrictionText(other)}.`),
  ];
}

async function confirmed(question: string, terminal: Terminal): Promise<boolean> {
  terminal.progress(question);
  const lines = createInterface({ input: terminal.input });
  try {
    const { value } = (await lines[Symbol.asyncIterator]().next()) as { readonly value: string | undefined };
    return /^y(es)?$/i.test((value ?? '').trim());
  } finally {
    lines.close();
  }
}
