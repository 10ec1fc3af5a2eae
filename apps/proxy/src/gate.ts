/**
 * The gate: what the relay asks. It judges with the one enforcement that is swapped in (E6), keeps every decision, and is closed until there
 * is something to judge by (P3).
 */
import { createHmac } from 'node:crypto';
import { canonicalJson, compilePolicies, decide, identityOf, linkLimits, MAX_SOURCES, visibility } from '@portcullis/policy-core';
import type { Call, CounterStore, Decision, DecisionRow, Determinant, Enforcement, JsonObject, Outcome, Restriction, Visibility } from '@portcullis/policy-core';
import type { Effective } from './guard/guard.ts';
import type { Gate, Judgement, ListsChanged } from './relay/gate.ts';

export interface GateOptions {
  readonly boot: string;
  /** The command line or URL origin that is really started: `match.upstream` is held against it. */
  readonly upstream: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** For how long what is held has not been known to be current; 0 = fresh. */
  readonly staleMs: () => number;
  /** Takes every decision; must not block. */
  readonly keep: (row: DecisionRow) => void;
  /** Under which the arguments of calls are named; null where nobody could compare them. */
  readonly argumentsKey: Uint8Array | null;
  /** Opens the counts; called once, when a snapshot needs them. */
  readonly openCounters: () => Promise<CounterStore>;
  /** What the agent is told while there is nothing to judge by. */
  readonly closedMessage: string;
}

export interface SwappableGate extends Gate {
  /** Compiles, so that a set that cannot be enforced is refused while the one before stays; opens the counts if they are needed. */
  prepare(effective: Effective): Promise<Prepared>;
  /** Allowed calls that have no answer yet. */
  inFlight(): number;
  /** Hands over the decisions that are not kept yet. */
  flush(): void;
}

/** Something compiled that can be put in force in one step. */
export interface Prepared {
  swap(): void;
}

interface InForce {
  readonly effective: Effective;
  readonly enforcement: Enforcement;
  readonly lists: Visibility;
  readonly counters: CounterStore;
  readonly labels: Readonly<Record<string, string>>;
}

/** A gate that is closed until something is swapped in. */
export function createGate(options: GateOptions): SwappableGate {
  let inForce: InForce | null = null;
  let counters: CounterStore | null = null;
  let calls = 0;
  const listeners = new Set<(changed: ListsChanged) => void>();
  const recorder = makeRecorder(options);

  async function prepare(effective: Effective): Promise<Prepared> {
    const identity = identityOf(effective.cut);
    const same = inForce !== null && inForce.effective.policies === effective.policies && canonicalJson(inForce.effective.cut) === canonicalJson(effective.cut);
    const enforcement = same && inForce !== null ? inForce.enforcement : compilePolicies(effective.policies, identity, options.upstream);
    // Counts that could not be opened are tried again with the next set; until then what depends on them is denied.
    const opened = enforcement.usesCounters && counters === null ? await options.openCounters().catch(brokenCounters) : counters;
    if (opened !== null && !isBroken(opened)) counters = opened;
    const next: InForce = { effective, enforcement, lists: visibility(enforcement, effective.restrictions), counters: opened ?? NO_COUNTERS, labels: identity.labels };
    return {
      swap: () => {
        const changed = listsChanged(inForce, next);
        inForce = next;
        if (changed !== null) for (const listener of listeners) listener(changed);
      },
    };
  }

  function judge(call: Call, client: { readonly name: string | null }): Judgement {
    const current = inForce;
    if (current === null) {
      const decision = closed(options.closedMessage);
      recorder.decision(call, decision, null, 0, client.name);
      return { decision, settle: ignore };
    }
    const staleMs = options.staleMs();
    const { enforcement, effective, labels } = current;
    const context = { server: effective.cut.server, labels, upstream: options.upstream, clientName: client.name, nowMs: options.now(), staleMs };
    const verdict = decide({ enforcement, restrictions: effective.restrictions, call, context, counters: current.counters });
    recorder.decision(call, verdict.decision, current, staleMs, client.name);
    if (verdict.decision.decision === 'deny') return { decision: verdict.decision, settle: ignore };
    calls += 1;
    return { decision: verdict.decision, settle: once((outcome) => {
      calls -= 1;
      verdict.settle(outcome);
    }) };
  }

  return {
    prepare,
    judge,
    lists: () => inForce?.lists ?? NOTHING_LISTED,
    refuse: (refusal) => recorder.refusal(refusal, inForce, inForce === null ? 0 : options.staleMs()),
    onListsChanged: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    inFlight: () => calls,
    flush: recorder.flush,
  };
}

const NOTHING_LISTED: Visibility = { tool: () => false, resource: () => false, prompt: () => false, hidesTools: false, empty: true };

/** Never asked: an enforcement that needs counts gets them, or `brokenCounters`. */
const NO_COUNTERS: CounterStore = brokenCounters(new Error('nothing here counts'));

/** Counts that cannot be used deny whatever depends on them (E3). */
function brokenCounters(error: unknown): BrokenCounters {
  const broken = (): never => {
    throw error instanceof Error ? error : new Error(String(error));
  };
  return { read: broken, reserve: broken, release: broken, broken: true };
}

interface BrokenCounters extends CounterStore {
  readonly broken: true;
}

function isBroken(counters: CounterStore): counters is BrokenCounters {
  return 'broken' in counters;
}

function closed(message: string): Decision {
  return { decision: 'deny', reason: 'no-snapshot', message, rule: '(no snapshot)', matched: [], observed: [] };
}

/** A gate that never opens, for a proxy that cannot enforce anything. */
export function closedGate(message: string): Gate {
  return { judge: () => ({ decision: closed(message), settle: ignore }), lists: () => NOTHING_LISTED, refuse: ignore, onListsChanged: () => ignore };
}

function ignore(): void {
  // A denied call took nothing that could be given back.
}

function once(settle: (outcome: Outcome) => void): (outcome: Outcome) => void {
  let open = true;
  return (outcome) => {
    if (!open) return;
    open = false;
    settle(outcome);
  };
}

/** Which lists a client should ask for again; null where nothing that lists show can have changed. */
function listsChanged(before: InForce | null, after: InForce): ListsChanged | null {
  if (before === null) return { tools: true, resources: true, prompts: true };
  const policies = before.effective.policies !== after.effective.policies;
  const restrictions = before.effective.restrictions !== after.effective.restrictions;
  if (!policies && !restrictions) return null;
  const whole = wholeServer(before) !== wholeServer(after) || (policies && after.effective.restrictions.some(coversAll));
  const tools = whole || policies || canonicalJson(before.effective.restrictions) !== canonicalJson(after.effective.restrictions);
  return tools ? { tools, resources: whole, prompts: whole } : null;
}

/** What decides about all lists at once. */
function wholeServer({ lists, effective }: InForce): string {
  return canonicalJson({ empty: lists.empty, restrictions: effective.restrictions.filter(coversAll) });
}

function coversAll({ scope }: Restriction): boolean {
  return scope.kind === 'all';
}

/** Numbers decisions and turns them into rows after the call has gone on its way. */
function makeRecorder({ boot, now, keep, argumentsKey }: GateOptions) {
  let n = 0;
  let waiting: (() => DecisionRow)[] = [];

  function later(row: () => DecisionRow): void {
    waiting.push(row);
    if (waiting.length === 1) setImmediate(flush);
  }

  function flush(): void {
    const rows = waiting;
    waiting = [];
    for (const row of rows) keep(row());
  }

  function decision(call: Call, made: Decision, by: InForce | null, staleMs: number, client: string | null): void {
    const number = n++;
    const atMs = now();
    later(() => ({
      boot,
      n: number,
      atMs,
      kind: call.kind,
      name: short(nameOf(call)),
      decision: made.decision,
      reason: made.reason,
      rule: shortOrNull(made.rule),
      message: shortOrNull(made.message),
      sources: sources(made.matched),
      observed: sources(made.observed),
      ...versions(by, staleMs),
      argumentsHmac: hmac(argumentsKey, call),
      client: shortOrNull(client),
    }));
  }

  function refusal({ what, detail }: { readonly what: string; readonly detail: string }, by: InForce | null, staleMs: number): void {
    const number = n++;
    const atMs = now();
    const fixed = { kind: 'refused', decision: 'deny', reason: 'unparsable', rule: null, sources: [], observed: [], argumentsHmac: null, client: null } as const;
    later(() => ({ boot, n: number, atMs, ...fixed, name: short(what), message: short(detail), ...versions(by, staleMs) }));
  }

  return { decision, refusal, flush };
}

function versions(by: InForce | null, staleMs: number): Pick<DecisionRow, 'policiesVersion' | 'restrictionsVersion' | 'freshness'> {
  if (by === null) return { policiesVersion: null, restrictionsVersion: null, freshness: 'none' };
  const { effective, enforcement } = by;
  const expired = enforcement.onStaleMs !== null && staleMs >= enforcement.onStaleMs;
  return {
    policiesVersion: effective.policiesVersion,
    restrictionsVersion: effective.restrictionsVersion,
    freshness: staleMs === 0 ? 'fresh' : expired ? 'expired' : 'stale',
  };
}

function nameOf(call: Call): string {
  switch (call.kind) {
    case 'tool':
    case 'prompt':
      return call.name;
    case 'resource':
      return call.uri;
    case 'method':
      return call.method;
  }
}

function hmac(key: Uint8Array | null, call: Call): string | null {
  const args = argumentsOf(call);
  return key === null || args === null ? null : createHmac('sha256', key).update(canonicalJson(args)).digest('hex');
}

function argumentsOf(call: Call): JsonObject | null {
  switch (call.kind) {
    case 'tool':
    case 'prompt':
      return call.arguments;
    case 'method':
      return call.params;
    case 'resource':
      return null;
  }
}

function sources(determinants: readonly Determinant[]): readonly string[] {
  return [...new Set(determinants.map(({ source }) => short(source)))].slice(0, MAX_SOURCES);
}

function short(text: string): string {
  return text.length <= linkLimits.MAX_DECISION_TEXT ? text : text.slice(0, linkLimits.MAX_DECISION_TEXT);
}

function shortOrNull(text: string | null): string | null {
  return text === null ? null : short(text);
}
