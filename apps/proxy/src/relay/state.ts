/** What one session remembers between messages, and the two questions that both directions ask of the gate. */
import type { Call, Decision, JsonValue, Outcome } from '@portcullis/policy-core';
import type { Asked } from './answers.ts';
import type { Gate, Judgement } from './gate.ts';
import { NO_HANDSHAKE } from './legacy.ts';
import type { Handshake } from './legacy.ts';
import type { RelayLimits } from './limits.ts';
import type { Id, Message } from './message.ts';
import { createSubscriptions } from './modern.ts';
import type { Subscriptions } from './modern.ts';
import { createPendingTable } from './pending.ts';
import type { PendingTable } from './pending.ts';
import { createRoster } from './roster.ts';
import type { Page, Roster } from './roster.ts';

/** A forwarded request of the agent. */
export interface Waiting {
  readonly asked: Asked;
  readonly judgements: readonly Judgement[];
  readonly clientName: string | null;
  /** For tools/list. */
  readonly page: Page | null;
}

export interface SessionState {
  readonly gate: Gate;
  readonly limits: RelayLimits;
  /** The agent's requests that the upstream has not answered. */
  readonly asked: PendingTable<Waiting>;
  /** The upstream's requests that the agent has not answered. */
  readonly askedBack: PendingTable<readonly Judgement[]>;
  /** Ids of the agent's that the relay answered itself: a cancellation that comes too late is not for the upstream. */
  readonly answeredHere: Set<Id>;
  readonly roster: Roster;
  readonly subscriptions: Subscriptions;
  /** Told of the entries of every list of tools, as the upstream wrote them. */
  readonly learnTools: (entries: readonly JsonValue[]) => void;
  readonly vet: Vet;
  readonly withholds: (entry: JsonValue) => boolean;
  handshake: Handshake;
  /** Why the upstream answers no more; null while it does. */
  upstreamGone: string | null;
}

/** What a session may be given that it would otherwise begin without. */
export interface Known {
  /** Shared by the requests of one client where no session binds them (2026-07-28 over HTTP). */
  readonly roster?: Roster;
  readonly handshake?: Handshake;
  readonly learnTools?: (entries: readonly JsonValue[]) => void;
  readonly vet?: Vet;
  /** Tools that the transport may not offer to a client of 2026-07-28, whatever policy says. */
  readonly withholds?: (entry: JsonValue) => boolean;
}

/** What the transport has against a clear message of the agent: the code and reason of a refusal, or null. */
export type Vet = (message: Message) => { readonly code: number; readonly detail: string } | null;

export function createState(gate: Gate, limits: RelayLimits, known: Known): SessionState {
  return {
    gate,
    limits,
    asked: createPendingTable<Waiting>((waiting) => settleAll(waiting.judgements, 'none')),
    askedBack: createPendingTable<readonly Judgement[]>((judgements) => settleAll(judgements, 'none')),
    answeredHere: new Set(),
    roster: known.roster ?? createRoster(),
    subscriptions: createSubscriptions(),
    vet: known.vet ?? (() => null),
    withholds: known.withholds ?? (() => false),
    learnTools: known.learnTools ?? (() => undefined),
    handshake: known.handshake ?? NO_HANDSHAKE,
    upstreamGone: null,
  };
}

export type Verdict = { readonly allowed: true; readonly judgements: readonly Judgement[] } | { readonly allowed: false; readonly decision: Decision };

/** Judges all calls of one message. The first denial speaks, and gives back what the others counted. */
export function judgeAll(gate: Gate, calls: readonly Call[], clientName: string | null): Verdict {
  const judgements: Judgement[] = [];
  for (const call of calls) {
    const judgement = judge(gate, call, clientName);
    if (judgement.decision.decision === 'allow') {
      judgements.push(judgement);
      continue;
    }
    settleAll(judgements, 'error');
    return { allowed: false, decision: judgement.decision };
  }
  return { allowed: true, judgements };
}

export function settleAll(judgements: readonly Judgement[], outcome: Outcome): void {
  for (const judgement of judgements) judgement.settle(outcome);
}

/** An error while judging denies (E3). */
function judge(gate: Gate, call: Call, clientName: string | null): Judgement {
  try {
    return gate.judge(call, { name: clientName });
  } catch (error) {
    const message = `The policy could not be evaluated: ${error instanceof Error ? error.message : 'unknown error'}`;
    return { decision: { decision: 'deny', reason: 'error', message, rule: null, matched: [], observed: [] }, settle: () => undefined };
  }
}

/** A record is read by people; what an attacker wrote into it is cut. */
const MAX_DETAIL_CHARACTERS = 300;

/** Records a message that was not forwarded because it is ambiguous (P2). */
export function record(state: SessionState, what: string, detail: string): void {
  const short = (text: string): string => (text.length > MAX_DETAIL_CHARACTERS ? `${text.slice(0, MAX_DETAIL_CHARACTERS)}…` : text);
  state.gate.refuse({ what: short(what), detail: short(detail) });
}

/** Cancellations arrive soon or not at all. */
const MAX_ANSWERED_HERE = 256;

export function rememberAnswered(state: SessionState, id: Id): void {
  state.answeredHere.delete(id);
  state.answeredHere.add(id);
  const oldest = state.answeredHere.values().next();
  if (state.answeredHere.size > MAX_ANSWERED_HERE && oldest.done !== true) state.answeredHere.delete(oldest.value);
}
