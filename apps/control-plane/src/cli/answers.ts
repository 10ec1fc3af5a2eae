/**
 * What the plane answers, as far as the commands build on it. The commands and the plane may be of different versions, and a wrong URL may answer
 * anything: neither may become a stack, or a lockdown that was never imposed and is said to be in force.
 */

/** A value like the ones that are wanted: of the same type; a list of such as its one element; an object with at least these fields. */
type Like = number | string | boolean | readonly [Like] | { readonly [field: string]: Like };

const EVENT: Like = { seq: 0, atMs: 0, actor: { kind: '', id: '' }, event: { type: '' } };
const DONE: Like = { version: 0, recorded: [EVENT] };
const RESTRICTION: Like = { id: '', reason: '', imposedAtMs: 0, readOnly: false, scope: { kind: '' }, selector: {} };
const PROXY: Like = { hostName: '', server: '', state: '', upstream: '', lastSeen: 0, labels: {}, problems: [''] };
const TURNED_AWAY: Like = { proved: false, reason: '', message: '', count: 0, firstMs: 0, lastMs: 0 };
const DECISION: Like = { atMs: 0, host: '', server: '', kind: '', name: '', decision: '', reason: '', sources: [''], freshness: '' };

/** By path. What is not here must be an object, and no more is asked of it. */
const ANSWERS: readonly (readonly [path: RegExp, like: Like])[] = [
  [/^GET \/v1\/status$/, {
    log: '', version: 0, size: 0, policiesVersion: 0, restrictionsVersion: 0, directory: '', policies: [{ policy: '' }], watch: { state: '', sinceMs: 0 }, storage: { ballast: false }, problems: [{ file: '', line: 0, column: 0, code: '', message: '' }],
    pendingRemovals: [{ change: '', removes: [''] }], holds: [{ policy: '', content: '' }], restrictions: [RESTRICTION], fleet: { proxies: 0, hosts: 0, current: 0, behind: 0, refused: 0, offline: 0 }, turnedAway: [TURNED_AWAY], decisions: { lost: 0, gaps: [{ host: '', missing: 0 }] },
  }],
  [/^GET \/v1\/proxies$/, { proxies: [PROXY], turnedAway: [TURNED_AWAY] }],
  [/^GET \/v1\/hosts$/, { hosts: [{ host: '', name: '', proxies: 0, connected: 0, enrolledAtMs: 0, revoked: false, labels: {} }] }],
  [/^GET \/v1\/enforced$/, { enforced: [{ hostName: '', server: '', certainty: '', policiesVersion: 0, restrictionsVersion: 0, fromMs: 0, toMs: 0 }] }],
  [/^GET \/v1\/wait$/, { version: 0, wanted: 0, enforcing: 0, tookMs: [0], missing: [{ hostName: '', server: '', why: '' }], notReached: [{ hostName: '', server: '', lastSeen: 0 }] }],
  [/^GET \/v1\/decisions$/, { decisions: [DECISION] }],
  [/^GET \/v1\/log$/, { events: [EVENT] }],
  [/^GET \/v1\/versions\/\d+$/, { version: 0, event: EVENT, policies: [{ policy: '', since: 0, sinceMs: 0, content: { textBytes: 0, textSha256: '' } }], restrictions: [{ restriction: RESTRICTION }] }],
  [/^GET \/v1\/versions\/\d+\/policy$/, { text: '' }],
  [/^GET \/v1\/diff$/, { from: 0, to: 0, notes: [''], changes: [{ policy: '', kind: '', parts: [{ kind: '', path: [''] }] }], texts: [{ policy: '', unified: '' }], imposed: [RESTRICTION], ended: [RESTRICTION] }],
  [/^GET \/v1\/holds$/, { holds: [{ policy: '', content: '' }] }],
  [/^GET \/v1\/join-tokens$/, { tokens: [{ token: '', state: '', expiresAtMs: 0, labels: {} }] }],
  [/^GET \/v1\/tokens$/, { tokens: [{ token: '', name: '', role: '', createdAtMs: 0, revoked: false }] }],
  [/^GET \/v1\/restrictions\/[^/]+$/, { restriction: RESTRICTION, proxies: [PROXY], stays: [RESTRICTION] }],
  [/^POST \/v1\/(join-)?tokens$/, { id: '', token: '' }],
  [/^POST \/v1\/rollback$/, { version: 0, recorded: [EVENT], to: 0, changes: [{ policy: '', kind: '' }], holds: [{ policy: '', content: '' }] }],
  [/^(POST|PATCH) /, DONE],
  [/^STREAM decision$/, DECISION],
  [/^STREAM missed$/, { count: 0 }],
];

/** Where a value is not as `asked` (`GET /v1/status`, `STREAM decision`) has to be answered; null where it is. */
export function misfit(asked: string, value: unknown): string | null {
  const [, like] = ANSWERS.find(([path]) => path.test(asked)) ?? [null, {}];
  return fault(value, like, 'the answer');
}

function fault(value: unknown, like: Like, at: string): string | null {
  if (typeof like !== 'object') return typeof value === typeof like ? null : `${at} is no ${typeof like}`;
  if (isList(like)) {
    if (!Array.isArray(value)) return `${at} is no list`;
    for (const [index, item] of value.entries()) {
      const found = fault(item, like[0], `${at}[${index}]`);
      if (found !== null) return found;
    }
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${at} is no object`;
  for (const [field, wanted] of Object.entries(like)) {
    const found = fault(Object.hasOwn(value, field) ? (value as Readonly<Record<string, unknown>>)[field] : undefined, wanted, at === 'the answer' ? `its ${field}` : `${at}.${field}`);
    if (found !== null) return found;
  }
  return null;
}

function isList(like: object): like is readonly [Like] {
  return Array.isArray(like);
}
