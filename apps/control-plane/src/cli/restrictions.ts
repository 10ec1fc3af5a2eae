/** The gate: lockdown, restrict, lift. */
import { createInterface } from 'node:readline/promises';
import type { Restriction } from '@portcullis/policy-core';
import type { Audience } from '../api/audience.ts';
import type { RestrictionView } from '../api/views.ts';
import type { ProxyView } from '../fleet/fleet.ts';
import { audienceLine, reaches, strayLines } from './audience.ts';
import { complain, fail, print, withPlane } from './command.ts';
import type { PlaneOptions } from './command.ts';
import type { Answered, Connection } from './connection.ts';
import { DEFAULT_TIMEOUT_MS, enforcedExit, progressLines, waitUntilEnforced } from './enforced.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { isLongGone } from './fleet-table.ts';
import { restrictionText } from './happening.ts';
import { printable } from './printable.ts';
import { moment } from './table.ts';
import type { Terminal } from './terminal.ts';
import { wrapped } from './wrap.ts';

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
  /** Null where it was in force already. */
  readonly restriction: Restriction | null;
  /** The id of what is in force; null where it cannot be told. */
  readonly id: string | null;
}

/** `restrict`: some tools, or all but reading. What takes everything away is called lockdown, so that nobody does it by leaving a word out. */
export async function restrict(options: RestrictOptions, terminal: Terminal): Promise<ExitCode> {
  if (options.tool !== undefined || options.readOnly === true) return lockdown(options, terminal);
  return complain(EXIT.usage, 'usage', 'Say what to restrict: --tool GLOB (repeatable) denies these tools, --read-only all but reading. To deny everything: portcullis lockdown.', options, terminal);
}

/** Imposes, then waits until every connected proxy enforces it: exit 0 only then, and only where it is about what it names. */
export async function lockdown(options: RestrictOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const { tool, readOnly, server, label, ttl, reason } = options;
    const body = { server: server ?? [], labels: label ?? {}, tools: tool ?? null, readOnly: readOnly ?? false, ttlMs: ttl ?? null, reason };
    const imposed = await impose(plane, body, terminal);
    if (!imposed.ok) return fail(imposed.failure, options, terminal);
    const { version, restriction, id } = imposed.value;
    if (restriction !== null && options.json !== true) terminal.out(wrapped(imposedLine(version, restriction)).join('\n'));
    const audience = id === null ? null : await audienceOf(plane, id, options, terminal);
    const progress = await waitUntilEnforced(plane, version, options.timeout ?? DEFAULT_TIMEOUT_MS, terminal);
    if (progress.ok) {
      print({ version, restriction, progress: progress.value, audience }, options, terminal, () => [
        ...(audience === null ? [] : [audienceLine(audience)]),
        // Who enforces a restriction of nobody is nothing to be reassured by.
        ...(audience !== null && audience.known > 0 && audience.proxies === 0 ? [] : progressLines(progress.value, terminal.now())),
        ...(id === null ? [] : [`To end it: portcullis lift ${id} --reason "…" --as admin`]),
      ]);
    } else if (restriction !== null) terminal.err(`The restriction ${printable(restriction.id)} is recorded and in force; only how far it has come is not known.`);
    const exit = enforcedExit(progress, options, terminal);
    return exit === EXIT.ok && audience !== null && !reaches(audience) ? EXIT.no : exit;
  });
}

/** What is restricted already is no failure: in an incident two people give the same command, and both want to see it take effect. */
async function impose(plane: Connection, body: object, terminal: Terminal): Promise<Answered<Imposed>> {
  const imposed = await plane.send<Omit<Imposed, 'id'>>('POST', '/v1/restrictions', body);
  if (imposed.ok) return { ok: true, value: { ...imposed.value, id: imposed.value.restriction?.id ?? null } };
  if (imposed.failure.code !== 'already-done') return imposed;
  const { message } = imposed.failure;
  const status = await plane.get<{ readonly version: number; readonly restrictions: readonly RestrictionView[] }>('/v1/status');
  if (!status.ok) return status;
  terminal.err(message);
  const { version, restrictions } = status.value;
  return { ok: true, value: { version, restriction: null, id: restrictions.find(({ id }) => message.startsWith(`${id} `))?.id ?? null } };
}

/** Whom it is about; said at once where it misses what it names. Null where the plane does not say: it is older, or it was lifted meanwhile. */
async function audienceOf(plane: Connection, id: string, options: PlaneOptions, terminal: Terminal): Promise<Audience | null> {
  const opened = await plane.get<Opened>(`/v1/restrictions/${encodeURIComponent(id)}`);
  const audience = opened.ok ? (opened.value.audience ?? null) : null;
  if (opened.ok && audience !== null && !reaches(audience)) complain(EXIT.no, 'reaches-nobody', strayLines(opened.value.restriction, audience).map(printable), options, terminal);
  return audience;
}

function imposedLine(version: number, restriction: Restriction): string {
  const end = restriction.expiresAtMs === null ? 'until it is lifted' : `until ${moment(restriction.expiresAtMs)}`;
  return `${restriction.id} is in force as version ${version}: denies ${restrictionText(restriction)}, ${end}. Reason: ${restriction.reason}`;
}

interface Opened {
  readonly restriction: Restriction;
  readonly proxies: readonly ProxyView[];
  readonly stays: readonly Restriction[];
  /** Not there from a plane of an older version, like the next one. */
  readonly audience?: Audience;
  /** Why the asker may not lift it. */
  readonly mayNotLift?: string | null;
}

/** Says what becomes possible again, asks, lifts, and waits until it is so everywhere. */
export async function lift(id: string, options: LiftOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const path = `/v1/restrictions/${encodeURIComponent(id)}`;
    const opened = await plane.get<Opened>(path);
    if (!opened.ok) return fail(opened.failure, options, terminal);
    // Before anything is asked: a question whose every answer is no helps nobody.
    const { mayNotLift = null } = opened.value;
    if (mayNotLift !== null) return fail({ exit: EXIT.forbidden, code: 'forbidden', message: printable(mayNotLift) }, options, terminal);
    if (options.yes !== true) {
      for (const line of openedLines(opened.value, terminal.now())) terminal.err(wrapped(line).join('\n'));
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

function openedLines({ restriction, proxies, stays }: Opened, nowMs: number): readonly string[] {
  const lately = proxies.filter((proxy) => !isLongGone(proxy, nowMs));
  const named = lately.slice(0, MAX_NAMED).map((proxy) => `${proxy.hostName}/${proxy.server}`);
  const rest = [...(lately.length > named.length ? [`${lately.length - named.length} more`] : []), ...(proxies.length > lately.length ? [`${proxies.length - lately.length} not seen for over a day`] : [])];
  return [
    `${restriction.id} denies ${restrictionText(restriction)}, since ${moment(restriction.imposedAtMs)}. Reason: ${restriction.reason}`,
    proxies.length === 0 ? 'It is about no proxy that is known.' : `Once lifted, their policies alone decide again on: ${[named.join(', '), ...rest].filter((part) => part !== '').join(' and ')}.`,
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
