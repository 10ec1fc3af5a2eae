/**
 * Who may knock at the listener (DNS rebinding, other sites' pages, other users): the Host must be a name of ours, an Origin must
 * be one of ours, and where a token is set it must be there. Headers that a reader could take two ways are refused.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isLoopbackName } from '../endpoints.ts';

export interface DoorOptions {
  /** Names besides those of this machine's loopback under which clients may call. */
  readonly names: readonly string[];
  /** What `Authorization: Bearer` must say; null where it is the upstream's affair. */
  readonly token: string | null;
}

export interface Refused {
  readonly status: number;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Headers that must not come twice: one reader takes the first, another the last. */
const SINGLE: ReadonlySet<string> = new Set(['host', 'origin', 'authorization', 'content-type', 'content-encoding', 'content-length', 'transfer-encoding', 'last-event-id']);

/** Null lets the request in. Looks at nothing but its headers. */
export function refuseAtDoor(request: IncomingMessage, { names, token }: DoorOptions): Refused | null {
  const repeated = repeatedHeader(request.rawHeaders);
  if (repeated !== null) return { status: 400, detail: `the header ${repeated} is given twice` };
  const host = hostOf(`http://${request.headers.host ?? ''}`);
  if (host === null || !isOurs(host, names)) return { status: 403, detail: `the Host ${quote(request.headers.host)} is none of this proxy's names (--public-name adds one)` };
  const { origin } = request.headers;
  if (origin !== undefined) {
    const from = hostOf(origin);
    if (from === null || !isOurs(from, names)) return { status: 403, detail: `the Origin ${quote(origin)} may not call this proxy` };
  }
  if (token !== null && !isToken(request.headers.authorization, token)) {
    return { status: 401, detail: 'this proxy wants its bearer token (PORTCULLIS_LISTEN_TOKEN)', headers: { 'www-authenticate': 'Bearer realm="portcullis-proxy"' } };
  }
  return null;
}

function repeatedHeader(raw: readonly string[]): string | null {
  const seen = new Set<string>();
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    if (!SINGLE.has(name) && !name.startsWith('mcp-')) continue;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return null;
}

/** The host name in an origin, or in what would be one; null where it has anything else besides a port. */
function hostOf(origin: string): string | null {
  if (!/^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?$/i.test(origin) || !URL.canParse(origin)) return null;
  return new URL(origin).hostname;
}

function isOurs(hostname: string, names: readonly string[]): boolean {
  return isLoopbackName(hostname) || names.some((name) => name.toLowerCase() === hostname);
}

/** Compared as hashes, in constant time: neither length nor beginning can be felt for. */
function isToken(header: string | undefined, token: string): boolean {
  const given = /^bearer +([^\s]+) *$/i.exec(header ?? '')?.[1];
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return given !== undefined && timingSafeEqual(hash(given), hash(token));
}

function quote(text: string | undefined): string {
  return JSON.stringify((text ?? '').slice(0, 100));
}
