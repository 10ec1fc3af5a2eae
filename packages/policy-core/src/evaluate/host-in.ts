/**
 * `host_in`: whether a host is one of some hosts. The value is a host, a host with a port, or a URL; the list holds
 * hosts and globs of hosts (`*.example.com`), compared without regard to case, to a port or to a trailing dot.
 *
 * A URL's host is what all URL parsers agree on. Where they are known to disagree the text is UNFIT: userinfo (`@`),
 * backslash, percent-escapes, white space or control characters in the authority, `https:host` and `https:///host`,
 * IPv4 in any form but four decimal numbers, IPv4 inside an IPv6 address (mapped, translated, tunnelled), letters that
 * a parser would first map to others, text that is not in NFC.
 */
import { compileGlob } from '../glob.ts';
import { FAILS, HOLDS, UNFIT } from './judged.ts';
import type { Judged } from './judged.ts';
import { isNormalText } from './text-form.ts';

/** Longer URLs are refused by servers and proxies alike. */
const MAX_URL_LENGTH = 65_536;
/** A host name has at most 253 characters, a port five. */
const MAX_AUTHORITY_LENGTH = 300;

const UNSAFE_CHARACTER = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029]/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;
const AUTHORITY_END = /[/?#]/;
/** Userinfo, escapes, backslashes, what WHATWG forbids in a host, and letters that IDNA 2003 and 2008 map differently. */
const DOUBTFUL = /[@%\\^|<>`{}"'\s\u3002\u00df\u03c2]/;
/** Characters that are dropped before a name is looked up, such as the soft hyphen. */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/u;
const NO_HOST = /[/?#:[\]]/;
const ADDRESS_LITERAL = /^\[[0-9A-Fa-f:.]+\]$/;
const HOST_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;
const DOTTED_IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$/;
/** A host whose last label is a number is IPv4 to a URL parser, in whatever notation. */
const NUMERIC_END = /(?:^|\.)(?:\d+|0[xX][0-9A-Fa-f]*)\.?$/;

/** Compiles the hosts of a `host_in`; throws if one cannot be a host. */
export function compileHostIn(hosts: readonly string[]): (text: string) => Judged {
  const exact = new Set<string>();
  const globs: ((host: string) => boolean)[] = [];
  for (const host of hosts) {
    const isGlob = /[*?]/.test(host);
    const normal = isGlob ? host.toLowerCase().replace(/\.$/, '') : normalHost(/^[^[]*:.*:/.test(host) ? `[${host}]` : host);
    if (normal === null) throw new Error(`host_in: ${JSON.stringify(host)} is not a host`);
    if (isGlob) globs.push(compileGlob(normal));
    else exact.add(normal);
  }
  return (text) => {
    const host = hostOf(text);
    if (host === null) return UNFIT;
    if (exact.has(host)) return HOLDS;
    return globs.some((matches) => matches(host)) ? HOLDS : FAILS;
  };
}

/** The host that a URL, host or host with port names, in its one normal form; null where parsers could disagree. */
function hostOf(text: string): string | null {
  if (text.length > MAX_URL_LENGTH || UNSAFE_CHARACTER.test(text) || !isNormalText(text)) return null;
  const scheme = SCHEME.exec(text)?.[0] ?? '';
  const rest = text.slice(scheme.length);
  const end = rest.search(AUTHORITY_END);
  const authority = end === -1 ? rest : rest.slice(0, end);
  if (authority === '' || authority.length > MAX_AUTHORITY_LENGTH || DOUBTFUL.test(authority)) return null;
  const match = HOST_AND_PORT.exec(authority);
  if (match === null || Number(match[2] ?? 0) > 65_535) return null;
  return normalHost(match[1] ?? '');
}

function normalHost(host: string): string | null {
  if (DOUBTFUL.test(host) || UNSAFE_CHARACTER.test(host)) return null;
  if (host.normalize('NFKC') !== host) return null;
  const withoutDot = host.endsWith('.') ? host.slice(0, -1) : host;
  if (withoutDot === '' || /^\.|\.\.|\.$/.test(withoutDot) || IGNORABLE.test(withoutDot)) return null;
  if (NO_HOST.test(withoutDot) && !ADDRESS_LITERAL.test(withoutDot)) return null;
  if (NUMERIC_END.test(withoutDot)) return DOTTED_IPV4.test(withoutDot) && withoutDot === host ? host : null;
  const parsed = parsedHost(withoutDot);
  return parsed === null || holdsIpv4(parsed) ? null : parsed;
}

/** As WHATWG parses it: lower case, Punycode, shortest IPv6. */
function parsedHost(host: string): string | null {
  try {
    return new URL(`https://${host}/`).hostname;
  } catch {
    return null;
  }
}

/** IPv4-mapped and -compatible (::/96, ::ffff:0:0/96), NAT64 (64:ff9b::/32) and 6to4 (2002::/16) addresses reach an IPv4 host. */
function holdsIpv4(host: string): boolean {
  if (!host.startsWith('[')) return false;
  if (host === '[::1]' || host === '[::]') return false;
  return /^\[(?:::ffff:|::[0-9a-f]{1,4}(?::[0-9a-f]{1,4})?\]|64:ff9b:|2002:)/.test(host);
}
