/** `portcullis status`, `proxies`, `hosts`: how things are now. */
import type { HostView, StatusView } from '../api/views.ts';
import type { Certainty, Enforced, ProxyView, TurnedAway } from '../fleet/fleet.ts';
import { fail, print, show, withPlane } from './command.ts';
import type { PlaneOptions } from './command.ts';
import { DEFAULT_TIMEOUT_MS, enforcedExit, progressLines, waitUntilEnforced } from './enforced.ts';
import type { ExitCode } from './exit.ts';
import { isLongGone, proxyLines } from './fleet-table.ts';
import { labelsText, restrictionText, shortId } from './happening.ts';
import { hostId } from './named-host.ts';
import { storageLines } from './storage.ts';
import { ago, counted, moment, table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { wrapped } from './wrap.ts';

/** One cause turns away a whole fleet; its first proxies tell it. */
const MAX_TURNED_AWAY = 10;

/** A proxy tries to connect again at least so often (full jitter, up to 30 s), so that a plane that has just started waits a little longer for all of them. */
const COMING_BACK_MS = 45_000;

export interface FleetOptions extends PlaneOptions {
  /** Also proxies that were not seen for long. */
  readonly all?: boolean;
}

export interface StatusOptions extends FleetOptions {
  readonly wait?: number;
  readonly timeout?: number;
}

/** The plane at a glance; with `--wait`, the progress of one version instead. */
export async function status(options: StatusOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    if (options.wait !== undefined) {
      const progress = await waitUntilEnforced(plane, options.wait, options.timeout ?? DEFAULT_TIMEOUT_MS, terminal);
      if (progress.ok) print(progress.value, options, terminal, (value) => [`Version ${value.version}:`, ...progressLines(value, terminal.now())]);
      return enforcedExit(progress, options, terminal);
    }
    const answered = await plane.get<StatusView>('/v1/status');
    const fleet = await plane.get<{ readonly proxies: readonly ProxyView[] }>('/v1/proxies');
    if (!fleet.ok) return fail(fleet.failure, options, terminal);
    return show(answered, options, terminal, (view) => statusLines(view, fleet.value.proxies, terminal.now(), options.all === true));
  });
}

export async function proxies(options: FleetOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const answered = await plane.get<{ readonly proxies: readonly ProxyView[]; readonly turnedAway: readonly TurnedAway[] }>('/v1/proxies');
    const status = await plane.get<StatusView>('/v1/status');
    const nowMs = terminal.now();
    return show(answered, options, terminal, (fleet) => [
      ...proxyLines(fleet.proxies, { all: options.all === true, everRestricted: !status.ok || everRestricted(status.value), nowMs }),
      ...turnedAwayLines(fleet.turnedAway, nowMs),
    ]);
  });
}

export async function hosts(options: PlaneOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) =>
    show(await plane.get<{ readonly hosts: readonly HostView[] }>('/v1/hosts'), options, terminal, (view) => hostLines(view.hosts)),
  );
}

export interface EnforcedOptions extends PlaneOptions {
  readonly at: number;
  readonly host?: string;
  readonly server?: string;
}

/** What proxies enforced at one moment. */
export async function enforced(options: EnforcedOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const host = options.host === undefined ? undefined : await hostId(plane, options.host);
    // The past knows hosts that the present log may not: those that a restored backup had forgotten.
    const id = host?.ok === true ? host.value : options.host;
    const answered = await plane.get<{ readonly enforced: readonly EnforcedView[] }>('/v1/enforced', { fromMs: options.at, toMs: options.at, host: id, server: options.server });
    if (host?.ok === false && answered.ok && answered.value.enforced.length === 0) return fail(host.failure, options, terminal);
    return show(answered, options, terminal, (view) => (view.enforced.length === 0 ? ['Nothing is known to have been enforced at that time.'] : enforcedLines(view.enforced)));
  });
}

interface EnforcedView extends Enforced {
  readonly hostName: string;
  readonly certainty: Certainty;
}

function enforcedLines(all: readonly EnforcedView[]): readonly string[] {
  const kinds = new Set(all.map(({ certainty }) => certainty));
  return [
    ...table(
      [
        { title: 'host', cell: (one) => one.hostName, least: 10 },
        { title: 'server', cell: (one) => one.server, least: 10 },
        { title: 'policies', cell: (one) => `@${one.policiesVersion}` },
        { title: 'restr.', cell: (one) => `@${one.restrictionsVersion}` },
        { title: 'how sure', cell: (one) => (one.certainty === 'last-known' ? 'last known' : one.certainty) },
        { title: 'first heard', cell: (one) => moment(one.fromMs) },
        { title: 'last heard', cell: (one) => moment(one.toMs) },
      ],
      all,
    ),
    ...(kinds.has('either') ? ['either: it changed between two signs of life: one of those listed for the host and server, or a version between.'] : []),
    ...(kinds.has('last-known') ? ['last known: not heard of at that time. A proxy that is cut off keeps what it has, for as long as it runs.'] : []),
  ];
}

/** The plane at a glance, as lines; each is still to be made printable. */
export function statusLines(view: StatusView, fleet: readonly ProxyView[], nowMs: number, all = false): readonly string[] {
  const since = view.versionAtMs === null ? '' : `, since ${moment(view.versionAtMs)} (${ago(view.versionAtMs, nowMs)})`;
  return [
    `version ${view.version}${since}; log ${view.log}, ${counted(view.size, 'event')}`,
    `${counted(view.policies.length, 'policy', 'policies')} from ${view.directory} (as of version ${view.policiesVersion}); ${everRestricted(view) ? `restrictions as of version ${view.restrictionsVersion}` : 'no restriction so far'}`,
    // A plane of an older version does not say it.
    ...((view as Partial<StatusView>).verifierKey === undefined ? [] : [`verifier key ${view.verifierKey}`]),
    watchLine(view, nowMs),
    ...storageLines(view, nowMs),
    ...section('Restrictions in force', view.restrictions.map((one) => `${one.id}: denies ${restrictionText(one)} (${counted(one.proxies, 'proxy', 'proxies')}), since ${moment(one.imposedAtMs)}${one.actorName === null ? '' : `, by ${one.actorName} (${shortId(one.actor)})`}. Reason: ${one.reason}`)),
    ...section('Problems: the last good content of these stays in force', view.problems.map((problem) => `${problem.file}:${problem.line}:${problem.column} ${problem.code} ${problem.message}`)),
    ...section('Removals that wait for you', view.pendingRemovals.flatMap((one) => [`${one.removes.join(', ')}; to let it through:`, `  portcullis confirm ${one.change} --as admin`])),
    ...section('Holds', view.holds.map((hold) => `${hold.policy}: ${holdText(hold)}`)),
    ...section('Decisions that are missing', [
      ...(view.decisions.lost === 0 ? [] : [`${view.decisions.lost} could not be stored by this plane`]),
      ...view.decisions.gaps.map((gap) => `${fleet.find(({ host }) => host === gap.host)?.hostName ?? gap.host}/${gap.server}, boot ${gap.boot.slice(0, 8)}: ${gap.missing} of ${gap.highest} never arrived`),
    ]),
    '',
    fleetLine(view),
    ...comingBack(view, fleet, nowMs),
    ...proxyLines(fleet, { all, everRestricted: everRestricted(view), nowMs }),
    ...turnedAwayLines(view.turnedAway, nowMs),
  ];
}

function watchLine({ watch, directory }: StatusView, nowMs: number): string {
  switch (watch.state) {
    case 'watching':
      return `watching ${directory}, last looked ${watch.lastScanAtMs === null ? 'never' : `${ago(watch.lastScanAtMs, nowMs)} ago`}`;
    case 'starting':
      return `reading ${directory} for the first time`;
    case 'failed':
      return `NOT watching ${directory} since ${moment(watch.sinceMs)}: ${watch.problem ?? 'no reason known'}`;
    default:
      return watch.state satisfies never;
  }
}

/** What a hold keeps out, whether it does so now, and who wanted that. */
export function holdText(hold: StatusView['holds'][number]): string {
  const by = hold.byName === null ? hold.by.id : `${hold.byName} (${shortId(hold.by.id)})`;
  return `${heldText(hold)}. Held by ${by} since ${moment(hold.sinceMs)}${hold.reason === null ? '' : ` because ${hold.reason}`}`;
}

function heldText({ policy, content, keepsOut }: StatusView['holds'][number]): string {
  const what = content === 'absent' ? 'its removal' : `content ${content.slice(0, 12)}`;
  if (keepsOut === null) return `${what} stays out`;
  if (keepsOut.length === 0) return content === 'absent' ? 'its file is there; were it removed, the policy would stay in force' : `no file has ${what} now; if one had it again, it would stay out`;
  if (content === 'absent') return 'its file is gone, and the policy stays in force';
  const others = keepsOut.filter((id) => id !== policy);
  const where = keepsOut.includes(policy) ? ['its file', ...others] : others;
  return `${where.join(', ')} still ${where.length === 1 ? 'has' : 'have'} ${what}, which stays out of force`;
}

function fleetLine({ fleet }: StatusView): string {
  return `${counted(fleet.proxies, 'proxy', 'proxies')} on ${counted(fleet.hosts, 'host')}: ${fleet.current} current, ${fleet.behind} behind, ${fleet.refused} refused, ${fleet.offline} offline`;
}

/** After a start the table shows what was known before it: a fleet that is offline and a plane that is new are told apart. */
function comingBack({ startedAtMs }: StatusView, fleet: readonly ProxyView[], nowMs: number): readonly string[] {
  const away = fleet.filter((proxy) => !proxy.connected && !isLongGone(proxy, nowMs)).length;
  if (away === 0 || nowMs - startedAtMs > COMING_BACK_MS) return [];
  return [`The plane started ${ago(startedAtMs, nowMs)} ago and waits for ${counted(away, 'proxy', 'proxies')} to come back; each tries at least every 30 s, and keeps what it has until then.`];
}

function everRestricted({ restrictionsVersion }: StatusView): boolean {
  // The first event of a log is none.
  return restrictionsVersion > 0;
}

/** Who is refused at the door and goes on under what it has. */
function turnedAwayLines(all: readonly TurnedAway[], nowMs: number): readonly string[] {
  const lines = all.slice(0, MAX_TURNED_AWAY).map((one) => {
    const again = one.count === 1 ? `${ago(one.lastMs, nowMs)} ago` : `${one.count} times since ${moment(one.firstMs)}, last ${ago(one.lastMs, nowMs)} ago`;
    return `${whoText(one)}: ${one.reason}: ${one.message} (${again})`;
  });
  const more = all.length - lines.length;
  return section('Turned away (these proxies keep what they had)', [...lines, ...(more > 0 ? [`and ${more} more`] : [])]);
}

function whoText({ host, hostName, server, proved, from }: TurnedAway): string {
  const place = from === null ? '' : ` from ${from}`;
  if (host === null) return `Somebody${place}`;
  const proxy = `${hostName === null ? host : `${hostName} (${host})`}/${server ?? '?'}`;
  return proved ? `${proxy}${place}` : `Somebody${place} who claims to be ${proxy}`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.flatMap((line) => wrapped(`  ${line}`))];
}

function hostLines(all: readonly HostView[]): readonly string[] {
  if (all.length === 0) return ['No host has joined yet: portcullis join-token create --as admin'];
  return table(
    [
      { title: 'host', cell: (host) => host.host },
      { title: 'name', cell: (host) => host.name, least: 10 },
      { title: 'proxies', cell: (host) => `${host.connected}/${host.proxies}` },
      { title: 'joined', cell: (host) => moment(host.enrolledAtMs) },
      { title: 'state', cell: (host) => (host.revoked ? 'revoked' : 'enrolled') },
      { title: 'labels', cell: (host) => labelsText(host.labels).trim(), least: 8 },
    ],
    all,
  );
}
