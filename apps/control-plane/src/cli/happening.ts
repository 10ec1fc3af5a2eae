/** One line about each kind of event: what `log` lists and what `serve` says as it happens. */
import type { Restriction } from '@portcullis/policy-core';
import type { ChangeRefused, PolicyChange, Recorded } from '../domain/events.ts';

/** Names listed before the rest is only counted: one line stays one line. */
const MAX_NAMED = 4;

/** What happened, in words, without actor, moment and reason. */
export function happening({ event }: Pick<Recorded, 'event'>): string {
  switch (event.type) {
    case 'PlaneInitialised':
      return `log ${event.log} begins`;
    case 'PolicySetPublished':
      return `${changes(event.changes)}${event.git === null ? '' : ` (commit ${event.git.commit.slice(0, 10)}: ${event.git.subject})`}`;
    case 'ChangeRefused':
      return `${refusalText(event.why)} ${event.policy ?? 'the change'}${event.why === 'held' || event.why === 'removal' ? '' : ` (${event.why})`}: ${event.message}`;
    case 'RemovalConfirmed':
      return `removal of ${names(event.removes)} confirmed`;
    case 'RolledBack':
      return `rolled back to ${event.to}: ${changes(event.changes)}${event.holds.length === 0 ? '' : `; holds ${names([...new Set(event.holds.map((hold) => hold.policy))])}`}`;
    case 'HoldReleased':
      return `hold on ${names([...new Set(event.holds.map((hold) => hold.policy))])} released`;
    case 'RestrictionImposed':
      return `${event.restriction.id}: ${restrictionText(event.restriction)}`;
    case 'RestrictionLifted':
      return `${event.restriction} lifted`;
    case 'RestrictionExpired':
      return `${event.restriction} ended: its time was over`;
    case 'JoinTokenCreated':
      return `join token ${event.token}${labelsText(event.labels)}`;
    case 'JoinTokenRevoked':
      return `join token ${event.token} revoked`;
    case 'HostEnrolled':
      return `host ${event.name} (${event.host}) joined${labelsText(event.labels)}`;
    case 'HostRelabelled':
      return `host ${event.host} is now${labelsText(event.labels) || ' without labels'}`;
    case 'HostRevoked':
      return `host ${event.host} revoked`;
    case 'OperatorTokenCreated':
      return `operator token ${event.name} (${event.token}), ${event.role}`;
    case 'OperatorTokenRevoked':
      return `operator token ${event.token} revoked`;
    case 'WatchFailed':
      return `the policy directory cannot be watched: ${event.problem}`;
    case 'WatchRecovered':
      return 'the policy directory is watched again';
    case 'KeyRotated':
      return `signing key replaced: ${event.publicKey} follows ${event.previousKey}`;
    case 'LogRestored':
      return `restored from a backup: log ${event.log} goes on from the ${event.previousSize} events of ${event.previousLog}${event.statement === null ? '; without the recovery key' : ''}`;
    case 'TextErased':
      return `what people wrote erased from ${event.seqs.length === 1 ? 'event' : `${event.seqs.length} events:`} ${seqText(event.seqs)}`;
    default:
      return event satisfies never;
  }
}

/** What happened to a change that did not come into force: only what is wrong was refused. */
export function refusalText(why: ChangeRefused['why']): string {
  return why === 'held' ? 'held back' : why === 'removal' ? 'waiting' : 'refused';
}

/** `+a ~c -r (names)`. */
export function changes(changed: readonly PolicyChange[]): string {
  const count = (kind: PolicyChange['kind']): number => changed.filter((change) => change.kind === kind).length;
  return `+${count('added')} ~${count('changed')} -${count('removed')} ${names(changed.map((change) => change.policy))}`;
}

/** What a restriction takes away, and from whom. */
export function restrictionText({ scope, readOnly, selector }: Pick<Restriction, 'scope' | 'readOnly' | 'selector'>): string {
  const what = scope.kind === 'all' ? (readOnly ? 'everything but reading' : 'everything') : `${readOnly ? 'writing ' : ''}tools ${scope.globs.join(', ')}`;
  const labels = Object.entries(selector.labels).map(([key, globs]) => `${key}=${globs.join('|')}`);
  const where = [...(selector.server.length === 0 ? [] : [`server ${selector.server.join(', ')}`]), ...labels];
  return `${what} on ${where.length === 0 ? 'every proxy' : where.join(' ')}`;
}

function seqText(seqs: readonly number[]): string {
  return names(seqs.map(String));
}

function names(all: readonly string[]): string {
  const more = all.length - MAX_NAMED;
  return all.length === 0 ? 'nothing' : all.slice(0, MAX_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** Enough of an id to find it by, beside a name. */
export function shortId(id: string): string {
  return id.length <= SHORT_ID ? id : `${id.slice(0, SHORT_ID)}…`;
}

const SHORT_ID = 10;

export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels).map(([key, value]) => ` ${key}=${value}`).join('');
}
