/**
 * From the log to what the plane knows (L5): the state is this fold and nothing else.
 *
 * A fold over many events copies each map once, not once per event, so that 50,000 events take well under a second.
 */
import type { Actor, Hold, PlaneEvent, PolicyChange, Recorded } from './events.ts';
import { ERASED, VERSION_EVENTS } from './events.ts';
import type { IdempotentOutcome, PlaneState } from './state.ts';

/** Refusals that are remembered, the newest: as many as a directory may hold files. Older ones stay in the log. */
export const MAX_REFUSED_REMEMBERED = 5_000;

/** Outcomes by idempotency keys, the newest: what is retried is retried at once. Each append copies them; older ones are looked up in the log. */
export const MAX_OUTCOMES_REMEMBERED = 50;

/** Ended restrictions that are remembered, the newest, so that ending one twice can say so. Each lift copies them. */
export const MAX_ENDED_REMEMBERED = 50;

/** What the plane knows before its first event. */
export const NOTHING: PlaneState = {
  log: '',
  publicKey: '',
  recoveryKeySha256: '',
  rotations: [],
  restorations: [],
  size: 0,
  version: -1,
  policiesVersion: -1,
  restrictionsVersion: -1,
  policies: new Map(),
  refused: new Map(),
  pendingRemovals: new Map(),
  holds: [],
  restrictions: new Map(),
  endedRestrictions: new Map(),
  joinTokens: new Map(),
  hosts: new Map(),
  operatorTokens: new Map(),
  watch: { failed: false, problem: null, sinceMs: 0 },
  idempotency: new Map(),
};

/** The state after one more event. Throws when the event is not the next one: that is a bug or a broken log. */
export function evolve(state: PlaneState, recorded: Recorded): PlaneState {
  return fold(state, [recorded]);
}

/** The state after these events, in order. `state` itself never changes. */
export function fold(state: PlaneState, events: Iterable<Recorded>): PlaneState {
  const draft = openDraft(state);
  for (const recorded of events) record(draft, recorded);
  return draft.fields;
}

/** The key under which the outcome of a command is remembered. */
export function idempotencyKey(actor: Actor, idem: string): string {
  return `${actor.id} ${idem}`;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type MapField = { [K in keyof PlaneState]: PlaneState[K] extends ReadonlyMap<string, unknown> ? K : never }[keyof PlaneState];
type ValueOf<K extends MapField> = PlaneState[K] extends ReadonlyMap<string, infer V> ? V : never;

interface Draft {
  readonly fields: Mutable<PlaneState>;
  /** The draft's own copy of one map. */
  map<K extends MapField>(field: K): Map<string, ValueOf<K>>;
}

function openDraft(state: PlaneState): Draft {
  const fields: Mutable<PlaneState> = { ...state };
  const own = new Map<MapField, Map<string, unknown>>();
  return {
    fields,
    map<K extends MapField>(field: K) {
      let copy = own.get(field);
      if (copy === undefined) {
        copy = new Map<string, unknown>(fields[field]);
        own.set(field, copy);
        // The copy has the field's own type; TypeScript cannot follow a key through both maps.
        (fields as Record<MapField, unknown>)[field] = copy;
      }
      return copy as Map<string, ValueOf<K>>;
    },
  };
}

function record(draft: Draft, recorded: Recorded): void {
  const { fields } = draft;
  if (recorded.seq !== fields.size) throw new Error(`event ${recorded.seq} does not follow a log of ${fields.size} events`);
  fields.size = recorded.seq + 1;
  if (VERSION_EVENTS.has(recorded.event.type)) fields.version = recorded.seq;
  rememberOutcome(draft, recorded);
  apply(draft, recorded, recorded.event);
}

function rememberOutcome(draft: Draft, { seq, actor, idem, commandSha256 }: Recorded): void {
  if (idem === null || commandSha256 === null) return;
  const key = idempotencyKey(actor, idem);
  const outcomes = draft.map('idempotency');
  const before: IdempotentOutcome | undefined = outcomes.get(key);
  outcomes.set(key, { commandSha256, seqs: [...(before?.seqs ?? []), seq] });
  for (const oldest of outcomes.keys()) {
    if (outcomes.size <= MAX_OUTCOMES_REMEMBERED) break;
    outcomes.delete(oldest);
  }
}

function apply(draft: Draft, recorded: Recorded, event: PlaneEvent): void {
  switch (event.type) {
    case 'PlaneInitialised':
    case 'KeyRotated':
    case 'LogRestored':
      return applyIdentity(draft, recorded, event);
    case 'PolicySetPublished':
    case 'ChangeRefused':
    case 'RemovalConfirmed':
    case 'RolledBack':
    case 'HoldReleased':
      return applyPolicies(draft, recorded, event);
    case 'RestrictionImposed':
    case 'RestrictionLifted':
    case 'RestrictionExpired':
      return applyRestriction(draft, recorded, event);
    case 'JoinTokenCreated':
    case 'JoinTokenRevoked':
    case 'HostEnrolled':
    case 'HostRelabelled':
    case 'HostRevoked':
      return applyEnrolment(draft, recorded, event);
    case 'OperatorTokenCreated':
    case 'OperatorTokenRevoked':
      return applyOperator(draft, recorded, event);
    case 'TextErased':
      return applyErasure(draft, event);
    case 'WatchFailed':
      draft.fields.watch = { failed: true, problem: event.problem, sinceMs: recorded.atMs };
      return;
    case 'WatchRecovered':
      draft.fields.watch = { failed: false, problem: null, sinceMs: recorded.atMs };
  }
}

type Of<T extends PlaneEvent['type']> = Extract<PlaneEvent, { type: T }>;

function applyIdentity({ fields }: Draft, { seq }: Recorded, event: Of<'PlaneInitialised' | 'KeyRotated' | 'LogRestored'>): void {
  switch (event.type) {
    case 'PlaneInitialised':
      fields.log = event.log;
      fields.publicKey = event.publicKey;
      fields.recoveryKeySha256 = event.recoveryKeySha256;
      // From here on both are known: no policies, no restrictions.
      fields.policiesVersion = seq;
      fields.restrictionsVersion = seq;
      return;
    case 'KeyRotated': {
      const { publicKey, previousKey, signatures } = event;
      fields.publicKey = publicKey;
      fields.rotations = [...fields.rotations, { previousKey, publicKey, signatures }];
      return;
    }
    case 'LogRestored': {
      const { log, publicKey, previousLog, previousSize, statement } = event;
      fields.log = log;
      fields.publicKey = publicKey;
      fields.recoveryKeySha256 = event.recoveryKeySha256;
      // The statement names the new key itself; and a host that missed one step cannot come further.
      fields.rotations = [];
      fields.restorations = statement === null ? [] : [...fields.restorations, { previousLog, previousSize, log, publicKey, ...statement }];
    }
  }
}

function applyPolicies(draft: Draft, recorded: Recorded, event: Of<'PolicySetPublished' | 'ChangeRefused' | 'RemovalConfirmed' | 'RolledBack' | 'HoldReleased'>): void {
  const { fields } = draft;
  switch (event.type) {
    case 'PolicySetPublished':
      applyChanges(draft, recorded, event.changes);
      return;
    case 'RolledBack':
      applyChanges(draft, recorded, event.changes);
      fields.holds = [
        ...without(fields.holds, event.released),
        ...event.holds.map((hold) => ({ ...hold, since: recorded.seq, sinceMs: recorded.atMs, by: recorded.actor, reason: recorded.reason })),
      ];
      return;
    case 'HoldReleased':
      fields.holds = without(fields.holds, event.holds);
      return;
    case 'RemovalConfirmed': {
      const pending = fields.pendingRemovals.get(event.change);
      if (pending !== undefined) draft.map('pendingRemovals').set(event.change, { ...pending, confirmed: true });
      return;
    }
    case 'ChangeRefused':
      refuse(draft, recorded, event);
  }
}

function refuse(draft: Draft, { seq, atMs }: Recorded, event: Of<'ChangeRefused'>): void {
  if (event.why === 'removal') {
    if (event.change === null) return;
    // One offer has one set of removals: the newest is the one that waits.
    const pending = draft.map('pendingRemovals');
    pending.clear();
    pending.set(event.change, { change: event.change, removes: event.removes, problems: event.problems, message: event.message, seq, atMs, confirmed: false });
    return;
  }
  if (event.policy === null) return;
  const refused = draft.map('refused');
  refused.delete(event.policy);
  const { policy, textSha256, why, problems, message } = event;
  refused.set(policy, { policy, textSha256, why, problems, message, seq, atMs });
  for (const oldest of refused.keys()) {
    if (refused.size <= MAX_REFUSED_REMEMBERED) break;
    refused.delete(oldest);
  }
}

function applyChanges(draft: Draft, { seq, atMs }: Recorded, changes: readonly PolicyChange[]): void {
  if (changes.length === 0) return;
  draft.fields.policiesVersion = seq;
  const policies = draft.map('policies');
  for (const change of changes) {
    if (change.kind === 'removed') policies.delete(change.policy);
    else policies.set(change.policy, { policy: change.policy, content: change.content, since: seq, sinceMs: atMs });
    if (draft.fields.refused.has(change.policy)) draft.map('refused').delete(change.policy);
  }
  const touched = new Set(changes.map((change) => change.policy));
  for (const pending of draft.fields.pendingRemovals.values()) {
    // A confirmed one is kept until the next, so that confirming twice can say so.
    if (!pending.confirmed && pending.removes.some((id) => touched.has(id))) draft.map('pendingRemovals').delete(pending.change);
  }
}

function without<H extends Hold>(holds: readonly H[], gone: readonly Hold[]): readonly H[] {
  return holds.filter((hold) => !gone.some((other) => other.policy === hold.policy && other.content === hold.content));
}

function applyRestriction(draft: Draft, { seq }: Recorded, event: Of<'RestrictionImposed' | 'RestrictionLifted' | 'RestrictionExpired'>): void {
  draft.fields.restrictionsVersion = seq;
  const restrictions = draft.map('restrictions');
  if (event.type === 'RestrictionImposed') restrictions.set(event.restriction.id, { restriction: event.restriction, since: seq });
  else if (restrictions.delete(event.restriction)) {
    const ended = draft.map('endedRestrictions');
    ended.set(event.restriction, { how: event.type === 'RestrictionLifted' ? 'lifted' : 'expired', seq });
    for (const oldest of ended.keys()) {
      if (ended.size <= MAX_ENDED_REMEMBERED) break;
      ended.delete(oldest);
    }
  }
}

function applyEnrolment(
  draft: Draft,
  { seq, atMs }: Recorded,
  event: Of<'JoinTokenCreated' | 'JoinTokenRevoked' | 'HostEnrolled' | 'HostRelabelled' | 'HostRevoked'>,
): void {
  switch (event.type) {
    case 'JoinTokenCreated': {
      const { token, secretSha256, labels, expiresAtMs } = event;
      draft.map('joinTokens').set(token, { token, secretSha256, labels, expiresAtMs, state: 'open' });
      return;
    }
    case 'JoinTokenRevoked':
      closeJoinToken(draft, event.token, 'revoked');
      return;
    case 'HostEnrolled': {
      const { host, name, publicKey, labels } = event;
      draft.map('hosts').set(host, { host, name, publicKey, labels, enrolledAtMs: atMs, revoked: false, since: seq });
      closeJoinToken(draft, event.token, 'used');
      return;
    }
    case 'HostRelabelled':
    case 'HostRevoked': {
      const host = draft.fields.hosts.get(event.host);
      if (host === undefined) return;
      const changed = event.type === 'HostRelabelled' ? { labels: event.labels } : { revoked: true };
      draft.map('hosts').set(event.host, { ...host, ...changed, since: seq });
    }
  }
}

function closeJoinToken(draft: Draft, id: string, state: 'used' | 'revoked'): void {
  const token = draft.fields.joinTokens.get(id);
  if (token !== undefined) draft.map('joinTokens').set(id, { ...token, state });
}

function applyOperator(draft: Draft, { atMs }: Recorded, event: Of<'OperatorTokenCreated' | 'OperatorTokenRevoked'>): void {
  const tokens = draft.map('operatorTokens');
  if (event.type === 'OperatorTokenCreated') {
    const { token, secretSha256, name, role } = event;
    tokens.set(token, { token, secretSha256, name, role, createdAtMs: atMs, revoked: false });
    return;
  }
  const token = tokens.get(event.token);
  if (token !== undefined) tokens.set(event.token, { ...token, revoked: true });
}

/** As a fold after the erasure has it, which no longer finds the texts. */
function applyErasure(draft: Draft, { seqs, hosts, operators }: Of<'TextErased'>): void {
  const { fields } = draft;
  const gone = new Set(seqs);
  if (fields.holds.some(({ since }) => gone.has(since))) fields.holds = fields.holds.map((hold) => (gone.has(hold.since) ? { ...hold, reason: null } : hold));
  for (const id of hosts) {
    const host = fields.hosts.get(id);
    if (host !== undefined) draft.map('hosts').set(id, { ...host, name: ERASED });
  }
  for (const id of operators) {
    const token = fields.operatorTokens.get(id);
    if (token !== undefined) draft.map('operatorTokens').set(id, { ...token, name: ERASED });
  }
}
