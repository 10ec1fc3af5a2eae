/** The fleet as a table: what each proxy enforces, and what is the matter with it. Proxies that nobody has heard of for long are counted, not listed. */
import type { ProxyView } from '../fleet/fleet.ts';
import { labelsText } from './happening.ts';
import { ago, counted, table } from './table.ts';
import { wrapped } from './wrap.ts';

const DAY_MS = 24 * 3_600_000;
/** Offline for longer, a proxy is one that somebody has stopped: a server that was renamed, a laptop that was given back. */
const LONG_GONE_MS = DAY_MS;
/** Proxies that are named beside a problem that they share. */
const MAX_NAMED = 4;

export interface FleetTable {
  /** Also those that were not seen for long. */
  readonly all: boolean;
  /** Whether there was ever a restriction; before the first one there is no version of them to show. */
  readonly everRestricted: boolean;
  readonly nowMs: number;
}

/** Offline, and not seen for over a day. */
export function isLongGone({ connected, lastSeen }: Pick<ProxyView, 'connected' | 'lastSeen'>, nowMs: number): boolean {
  return !connected && nowMs - lastSeen > LONG_GONE_MS;
}

export function proxyLines(fleet: readonly ProxyView[], { all, everRestricted, nowMs }: FleetTable): readonly string[] {
  if (fleet.length === 0) return ['No proxy has connected yet.'];
  const shown = all ? fleet : fleet.filter((proxy) => !isLongGone(proxy, nowMs));
  const hidden = fleet.length - shown.length;
  const lines = table(
    [
      { title: 'host', cell: (proxy) => proxy.hostName, least: 10 },
      { title: 'server', cell: (proxy) => proxy.server, least: 10 },
      { title: 'state', cell: (proxy) => proxy.state },
      { title: 'policies', cell: (proxy) => versionText(proxy.policies) },
      { title: 'restr.', cell: (proxy) => (everRestricted ? versionText(proxy.restrictions) : '–') },
      { title: 'seen', cell: (proxy) => `${ago(proxy.lastSeen, nowMs)} ago` },
      { title: 'labels', cell: (proxy) => labelsText(proxy.labels).trim(), least: 8 },
      { title: 'upstream', cell: (proxy) => proxy.upstream, least: 12 },
    ],
    shown,
  );
  return [...lines, ...(hidden === 0 ? [] : [`${counted(hidden, 'more proxy', 'more proxies')}, offline and not seen for over a day: --all`]), ...problemLines(shown)];
}

/** What many have is said once. */
function problemLines(fleet: readonly ProxyView[]): readonly string[] {
  const having = new Map<string, string[]>();
  for (const { hostName, server, problems } of fleet) {
    for (const problem of problems) having.set(problem, [...(having.get(problem) ?? []), `${hostName}/${server}`]);
  }
  return [...having].flatMap(([problem, who]) => wrapped(`  ${who.slice(0, MAX_NAMED).join(', ')}${who.length > MAX_NAMED ? ` and ${who.length - MAX_NAMED} more` : ''}: ${problem}`));
}

/** `@7`: a version, and no count of anything. */
function versionText(part: ProxyView['policies']): string {
  return part === null ? '–' : `@${part.version}`;
}
