/** The plane's address: TLS, or plain on this machine only. */

export type PlaneUrl = { readonly ok: true; readonly base: URL; readonly link: string } | { readonly ok: false; readonly problem: string };

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Reads the address that an operator gave; `link` is where proxies connect. */
export function planeUrl(text: string): PlaneUrl {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return { ok: false, problem: `${JSON.stringify(text)} is no address of a plane: it looks like https://portcullis.example.com:7420` };
  if (url.username !== '' || url.password !== '') return { ok: false, problem: 'the address of a plane holds no user name and no password' };
  if (url.protocol === 'http:' && !LOOPBACK.has(url.hostname)) return { ok: false, problem: `${url.host} is another machine: its address must be https` };
  const base = new URL(url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`, url.origin);
  const link = new URL('v1/link', base);
  link.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:';
  return { ok: true, base, link: link.href };
}
