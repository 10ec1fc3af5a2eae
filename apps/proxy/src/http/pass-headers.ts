/** Headers on their way between agent and upstream: all of them but those of the connection itself (RFC 9110, section 7.6.1). */
import type { IncomingMessage } from 'node:http';

const HOP_BY_HOP: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);
/** Set anew for the other side. */
const REQUEST_ONLY: ReadonlySet<string> = new Set(['host', 'content-length', 'accept-encoding', 'expect']);
const RESPONSE_ONLY: ReadonlySet<string> = new Set(['content-length', 'content-encoding', 'date']);

/** What of an agent's request goes on. Compression is not asked for: what cannot be read cannot be judged. */
export function requestHeaders(request: IncomingMessage, without: ReadonlySet<string>): Record<string, string[]> {
  return { ...kept(request, new Set([...REQUEST_ONLY, ...without])), 'accept-encoding': ['identity'] };
}

/** What of an upstream's answer goes on. */
export function responseHeaders(answer: IncomingMessage): Record<string, string[]> {
  return kept(answer, RESPONSE_ONLY);
}

function kept({ rawHeaders, headers }: IncomingMessage, without: ReadonlySet<string>): Record<string, string[]> {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const found = new Map<string, string[]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    if (HOP_BY_HOP.has(name) || named.has(name) || without.has(name)) continue;
    const values = found.get(name);
    if (values === undefined) found.set(name, [rawHeaders[at + 1] ?? '']);
    else values.push(rawHeaders[at + 1] ?? '');
  }
  return Object.fromEntries(found);
}
