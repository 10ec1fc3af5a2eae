/**
 * What must hold after every step, whatever happened. Laws look from outside: at what the gate permits, at what was said on the wire, at what is
 * on the disk, at what the plane ever wanted. A broken law is a text that says which rule, who, and what was seen.
 */
import { linkLimits } from '@portcullis/policy-core';
import type { Held, Mark } from '@portcullis/policy-core';
import { ANSWER_MS } from '../../apps/control-plane/src/domain/link.ts';
import { forbids } from './history.ts';
import type { History } from './history.ts';
import type { Connection, Frame } from './network.ts';
import { evidenceOf, maskOf, TOOLS } from './proxy.ts';
import type { SimProxy } from './proxy.ts';

/** What one proxy has said and been told, over all its boots. */
export interface Record {
  /** The highest version that it acknowledged exactly; permissions of what is older are over. */
  floor: number;
  policies: Mark | null;
  restrictions: Mark | null;
  /** A lift waits for policies. */
  pending: boolean;
  /** Restrictions of the set that it acknowledged last. */
  obeyed: ReadonlySet<string>;
  /** When the newest statement that reached this boot was made, in true time; null before the first. */
  toldAt: number | null;
  /** The same over all boots of its folder, as far as the clock allows to know. */
  lastToldAt: number | null;
  /** What of that this boot could know when it began. */
  leftAt: number | null;
  /** Its files were damaged, so that it may know less than it acknowledged; never that a restriction is over. */
  damaged: boolean;
  seen: { readonly policies: number; readonly restrictions: number; readonly events: number };
  /** When what it holds was the head's for this boot last, in true time; whether it still was after the last step. */
  current: { readonly at: number; readonly still: boolean } | null;
  /** What it was looked at last, and when. */
  looked: string;
  /** What was found durable last. */
  durable: string;
  lookedAt: number;
}

export function newRecord(): Record {
  return { floor: 0, policies: null, restrictions: null, pending: false, obeyed: new Set(), toldAt: null, lastToldAt: null, leftAt: null, damaged: false, seen: { policies: -1, restrictions: -1, events: 0 }, current: null, looked: '', durable: '', lookedAt: 0 };
}

/** Clocks are read in whole milliseconds, and a lease may be dated a heartbeat ahead: clocks of two machines never run alike. */
const TOLERANCE_MS = 10 + linkLimits.HEARTBEAT_MS;

export interface Scene {
  readonly history: History;
  readonly now: () => number;
  readonly record: (proxy: SimProxy) => Record;
  /** Of the plane's log. */
  readonly rootAt: (size: number) => string | undefined;
}

/** [W6] [P3] [P6] [W3]: what this proxy permits now. */
export function checkProxy(proxy: SimProxy, { history, now, record, rootAt }: Scene): string | null {
  const { running, host, server } = proxy;
  if (running?.process.alive !== true || host.machine.suspended) return null;
  const known = record(proxy);
  const mask = maskOf(running);
  const versions = history.since(known.floor);
  if (mask !== 0 && !versions.some((version) => (mask & ~history.wanted(version, host.id, server).mask) === 0)) {
    const permitted = versions.map((version) => `${version.version}:${history.wanted(version, host.id, server).mask.toString(2)}`).join(' ');
    return `[W6] ${running.boot} permits ${mask.toString(2)}, which no version since the one it enforced exactly does: ${permitted}`;
  }
  const head = history.versions.at(-1);
  const active = head === undefined ? [] : history.restrictions(head, host.id, server);
  for (const restriction of active) {
    // What passes under a read-only one is the policies' to say.
    if (!known.obeyed.has(restriction.id) || restriction.readOnly) continue;
    const open = [...TOOLS, null].find((tool, bit) => forbids(restriction, tool) && (mask & (1 << bit)) !== 0);
    if (open !== undefined) return `[P6] ${running.boot} has acknowledged ${restriction.id}, which nobody lifted, and permits ${open ?? 'a resource'}`;
  }
  return checkMarks(proxy, known) ?? checkTree(proxy, rootAt) ?? checkFreshness(proxy, known, history, now());
}

function checkMarks(proxy: SimProxy, known: Record): string | null {
  const { running } = proxy;
  const status = running!.link.status();
  const seen = { policies: status.policies?.version ?? -1, restrictions: status.restrictions?.version ?? -1, events: status.tree?.size ?? 0 };
  if (seen.policies < known.seen.policies || seen.restrictions < known.seen.restrictions) {
    return `[W3] ${running!.boot} went back from policies@${known.seen.policies}, restrictions@${known.seen.restrictions} to policies@${seen.policies}, restrictions@${seen.restrictions}`;
  }
  if (seen.events < known.seen.events) return `[L7] ${running!.boot} had seen ${known.seen.events} events, and goes by ${seen.events}`;
  known.seen = seen;
  if (known.damaged) return null;
  for (const part of ['policies', 'restrictions'] as const) {
    const [acked, held] = [known[part], status[part]];
    if (acked !== null && (held === null || held.version < acked.version)) return `[W9] ${running!.boot} holds ${part}@${held?.version ?? 'none'}, though ${part}@${acked.version} was acknowledged`;
    if (acked !== null && held?.version === acked.version && held.digest !== acked.digest) return `[W3] ${running!.boot} holds other ${part}@${acked.version} than it acknowledged`;
  }
  return null;
}

/** [L7]: whoever has seen the log is shown no other one. The first head that is seen has to be believed, and nobody lies about that. */
function checkTree({ running }: SimProxy, rootAt: Scene['rootAt']): string | null {
  const { tree } = running!.link.status();
  return tree === null || rootAt(tree.size) === tree.root ? null : `[L7] ${running!.boot} goes by ${tree.size} events that are not those of the log`;
}

/** [W3] [L7]: what contradicts itself is kept for whoever investigates, where the disk takes it. */
export function blamed(proxy: SimProxy, problem: string, digest: string | null): string | null {
  // It may be just what this proxy needs next.
  if (digest !== null && /for another cut/.test(problem)) return `[W5] ${proxy.running!.boot} names content that was shown to the wrong audience, so that it is never offered again`;
  const kind = CONTRADICTIONS.find(({ said }) => said.test(problem))?.kept;
  if (kind === undefined || proxy.host.disk.full || evidenceOf(proxy).some((name) => name.startsWith(`${kind}-`))) return null;
  return `[W3] ${proxy.running!.boot} refuses a contradiction (${problem}), and keeps no ${kind} as evidence`;
}

const CONTRADICTIONS = [
  { said: /was given two contents/, kept: 'equivocation' },
  { said: /for another cut/, kept: 'other-cut' },
  { said: /of log .* enrolled in/, kept: 'other-log' },
  { said: /are older than/, kept: 'lower' },
  { said: /not the plane's signature/, kept: 'forged' },
  { said: /two different histories|now signs for|nothing shows that the tree/, kept: 'history' },
];

/** [P3]: no claim to be current is younger than the newest statement of the plane that got through, or than the truth. */
function checkFreshness(proxy: SimProxy, known: Record, history: History, now: number): string | null {
  const { running, host, server } = proxy;
  const { policies, restrictions, staleMs } = running!.link.status();
  const who = `[P3] ${running!.boot}`;
  if (known.toldAt === null || known.toldAt < running!.startedAt) {
    if (staleMs === 0) return `${who} was not told anything yet and says that it is fresh`;
    // Where nothing is held, nothing is outdated.
    const least = policies === null ? 0 : Math.max(now - running!.startedAt, known.leftAt === null ? 0 : now - known.leftAt - linkLimits.FRESH_MS) - TOLERANCE_MS;
    return staleMs >= least ? null : `${who} says that it is stale for ${staleMs} ms, it is for at least ${least}`;
  }
  const age = staleMs === 0 ? linkLimits.FRESH_MS : staleMs;
  if (age < now - known.toldAt - TOLERANCE_MS) return `${who} was told last ${Math.round(now - known.toldAt)} ms ago and claims ${staleMs === 0 ? 'to be fresh' : `${Math.round(staleMs)} ms`}`;
  const head = history.versions.at(-1)!;
  const want = history.wanted(head, host.id, server);
  const still = want.policies === policies?.digest && want.restrictions === restrictions?.digest;
  // Between two looks neither the head nor what is held changed: what was current at the last one was so until now.
  const before = Math.max(known.current?.at ?? running!.startedAt, outdatedAt(history, proxy, policies, restrictions) ?? 0);
  known.current = { at: still || known.current?.still === true ? now : before, still };
  const outdated = now - known.current.at;
  return age >= outdated - TOLERANCE_MS ? null : `${who} holds what is outdated for ${Math.round(outdated)} ms and claims ${staleMs === 0 ? 'to be fresh' : `${Math.round(staleMs)} ms`}`;
}

/** When the head began to want something else than this; null where it never wanted it, or still does. */
function outdatedAt({ versions, wanted }: History, { host, server }: SimProxy, policies: Mark | null, restrictions: Mark | null): number | null {
  for (let index = versions.length - 1; index >= 0; index--) {
    const want = wanted(versions[index]!, host.id, server);
    if (want.policies === policies?.digest && want.restrictions === restrictions?.digest) return versions[index + 1]?.at ?? null;
  }
  return null;
}

/** The proxy has said what it holds. [W9]: that is what it enforces. */
export function acknowledged(proxy: SimProxy, held: Held, by: 'ack' | 'heartbeat', { history, record }: Scene): string | null {
  const known = record(proxy);
  const status = proxy.running!.link.status();
  for (const part of ['policies', 'restrictions'] as const) {
    if (held[part]?.digest !== status[part]?.digest || held[part]?.version !== status[part]?.version) return `[W9] ${proxy.running!.boot} acknowledges other ${part} than it holds`;
  }
  known.policies = held.policies;
  known.restrictions = held.restrictions;
  known.pending = held.pending;
  if (held.restrictions !== null) {
    const at = history.versions.find(({ version }) => version === held.restrictions?.version);
    // Whoever was relabelled out of one, and said so, is told again when it is relabelled into it.
    if (at !== undefined) known.obeyed = new Set(history.restrictions(at, proxy.host.id, proxy.server).map(({ id }) => id));
  }
  if (held.pending || held.policies === null || held.restrictions === null) return null;
  const exact = Math.max(held.policies.version, held.restrictions.version);
  const version = history.versions.find((known) => known.version === exact);
  if (version === undefined) return `[W3] ${proxy.running!.boot} acknowledges version ${exact}, which does not exist`;
  known.floor = known.damaged ? exact : Math.max(known.floor, exact);
  const { mask } = history.wanted(version, proxy.host.id, proxy.server);
  const { link } = proxy.running!;
  if (by !== 'ack' || link.staleMs() !== 0 || maskOf(proxy.running!) === mask) return null;
  return `[W9] ${proxy.running!.boot} acknowledges version ${exact}, which permits ${mask.toString(2)}, and permits ${maskOf(proxy.running!).toString(2)}`;
}

/** One connection as the plane sees it. */
export interface Talk {
  /** Snapshots that were not answered. */
  snapshots: number;
  /** The first thing that the client said was a hello. */
  greeted: boolean;
  welcomed: boolean;
  /** Contents that the proxy's boot has refused for good, as this process of the plane knows; shared by its connections. */
  readonly barred: Set<string>;
  /** Which process of the plane it is. */
  readonly planeBoot: number;
  /** What was said and not answered, by lane: the version, and when. */
  readonly waits: Map<string, { readonly version: number; readonly at: number }>;
}

export function newTalk(barred: Set<string>, planeBoot: number): Talk {
  return { snapshots: 0, greeted: false, welcomed: false, barred, planeBoot, waits: new Map() };
}

interface Outer {
  readonly frame: string;
  readonly header?: string;
}

/** [W1] [W5] [W6]: what the plane says, and when. */
export function planeSays(connection: Connection, talk: Talk, frame: Frame, now: number): string | null {
  const outer = JSON.parse(frame.text) as Outer;
  if (!talk.greeted && outer.frame !== 'challenge') return `[W1] the plane says ${outer.frame} on connection ${connection.id} before anybody said hello`;
  if (outer.frame === 'welcome') {
    if (connection.proxy === null) return `[W1] the plane welcomes an intruder`;
    talk.welcomed = true;
    talk.snapshots = 0;
    talk.waits.clear();
  } else if (!talk.welcomed && outer.frame !== 'challenge' && outer.frame !== 'goodbye') return `[W1] the plane says ${outer.frame} before it welcomed`;
  const { digest, version } = outer.header === undefined ? {} : (JSON.parse(outer.header) as { readonly digest?: string; readonly version?: number });
  if (version !== undefined && (outer.frame === 'snapshot' || outer.frame === 'restrict' || outer.frame === 'advance')) talk.waits.set(outer.frame, { version, at: now });
  if (digest !== undefined && talk.barred.has(digest)) return `[W5] content ${digest.slice(0, 8)} is offered again to a proxy that refused it`;
  if (outer.frame === 'snapshot') {
    talk.snapshots += 1;
    if (talk.snapshots > 1) return `[W6] ${talk.snapshots} snapshots are on their way on connection ${connection.id}`;
  }
  return null;
}

/** What reaches the plane. */
export function planeHears(talk: Talk, frame: Frame): void {
  const said = parse(frame.text);
  if (said === null) return;
  if (said.frame === 'hello') talk.greeted = true;
  if (said.frame === 'ack' || said.frame === 'nack' || said.frame === 'heartbeat') talk.snapshots = 0;
  answered(talk, said);
  if (said.frame === 'nack' && said.kind !== 'transient' && said.digest !== null && said.part !== 'link') talk.barred.add(said.digest!);
}

interface Said extends Partial<Pick<Held, 'policies' | 'restrictions' | 'pending'>> {
  readonly frame: string;
  readonly kind?: string;
  readonly digest?: string | null;
  readonly part?: string;
}

function answered({ waits }: Talk, said: Said): void {
  if (said.frame === 'nack') waits.clear();
  if (said.frame !== 'ack' && said.frame !== 'heartbeat') return;
  const [policies, restrictions] = [said.policies?.version ?? -1, said.restrictions?.version ?? -1];
  const reached = { snapshot: policies, restrict: restrictions, advance: said.pending === true ? -1 : Math.max(policies, restrictions) };
  for (const [lane, { version }] of waits) if (reached[lane as keyof typeof reached] >= version) waits.delete(lane);
}

/**
 * [W7]: who does not answer is given up, so that it comes back and learns what it missed. Where nothing delays anybody any more, what was lost
 * is found with the next heartbeat and sent again. `awakeSince`: the plane was awake from then on.
 */
export function givesUp(connection: Connection, talk: Talk | undefined, { awakeSince, calmSince }: { readonly awakeSince: number; readonly calmSince: number }, now: number): string | null {
  if (talk === undefined || connection.plane.readyState !== 1) return null;
  for (const [lane, { version, at }] of talk.waits) {
    const who = connection.proxy ?? 'an intruder';
    if (now - Math.max(at, awakeSince) > ANSWER_MS + 2 * linkLimits.HEARTBEAT_MS) return `[W7] ${who} has not answered ${lane}@${version} for ${Math.round(now - at)} ms, and is still connected`;
    if (!connection.dead && now - Math.max(at, awakeSince, calmSince) > linkLimits.HEARTBEAT_MS + CROSSING_MS) return `[W7] ${lane}@${version} was lost on the way to ${who} ${Math.round(now - at)} ms ago, and not sent again`;
  }
  return null;
}

/** Both ways, and a disk that answers. */
const CROSSING_MS = 1_500;

function parse(text: string): Said | null {
  try {
    return JSON.parse(text) as Said;
  } catch {
    return null;
  }
}
