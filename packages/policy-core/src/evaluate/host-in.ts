/**
 * `host_in`: whether a host is one of some hosts. The value is a host, a host with a port, or a URL with the scheme http,
 * https, ws or wss; the list holds hosts and globs of hosts (`*.example.com`), compared without regard to case, to a port
 * or to a trailing dot. A host has letters, digits, hyphens, underscores and dots, or is an IPv6 address in brackets.
 *
 * A URL's host is what all URL parsers agree on. Where they are known to disagree the text is UNFIT: another scheme,
 * userinfo (`@`, also behind a `?` or `#` that ends the host), backslash, percent-escapes, white space or control
 * characters in the authority, `https:host` and `https:///host`, IPv4 in any form but four decimal numbers, IPv4 inside an
 * IPv6 address (mapped, translated, tunnelled), letters that a parser would first map to others, text that is not in NFC.
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
/** Those whose host all parsers find in the same way, and that reach that host: `file:`, `javascript:` and `data:` have none. */
const HOSTED = /^(?:http|ws)s?:\/\/$/i;
const AUTHORITY_END = /[/?#]/;
/** Older parsers end an authority at `/` only, and take what stands before an `@` for userinfo. */
const MISTAKABLE_END = /^[?#][^/]*[@\\]/;
/** What no name has: userinfo, escapes, backslashes, `;` and whatever else a parser might end a host at. */
const NAME = /^[\p{L}\p{M}\p{N}._-]+$/u;
/** Letters that IDNA 2003 and 2008 map differently. */
const DOUBTFUL = /[\u00df\u03c2]/;
/** Characters that are dropped before a name is looked up, such as the soft hyphen. */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/u;
const ADDRESS_LITERAL = /^\[[0-9A-Fa-f:.]+\]$/;
const HOST_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;
const DOTTED_IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$/;
/** A glob of names, or of IPv6 addresses in brackets; other scripts are in Punycode by then. */
const HOST_GLOB = /^(?:[a-z0-9._*?-]+|\[[0-9a-f:*?]+\])$/;
const NOT_ASCII = /[^\u0000-\u007f]/;
/** A host whose last label is a number is IPv4 to a URL parser, in whatever notation. */
const NUMERIC_END = /(?:^|\.)(?:\d+|0[xX][0-9A-Fa-f]*)\.?$/;

/** Compiles the hosts of a `host_in`; throws if one cannot be a host. */
export function compileHostIn(hosts: readonly string[]): (text: string) => Judged {
  const exact = new Set<string>();
  const globs: ((host: string) => boolean)[] = [];
  for (const host of hosts) {
    const isGlob = /[*?]/.test(host);
    const normal = isGlob ? normalGlob(host) : normalHost(/^[^[]*:.*:/.test(host) ? `[${host}]` : host);
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

/** A glob over hosts in their normal form; null where it could match none. */
function normalGlob(glob: string): string | null {
  const labels = glob.replace(/\.$/, '').split('.').map((label) => (NOT_ASCII.test(label) ? normalHost(label) : label.toLowerCase()));
  const normal = labels.join('.');
  return !labels.includes(null) && HOST_GLOB.test(normal) ? normal : null;
}

/** The host that a URL, host or host with port names, in its one normal form; null where parsers could disagree. */
function hostOf(text: string): string | null {
  if (text.length > MAX_URL_LENGTH || UNSAFE_CHARACTER.test(text) || !isNormalText(text)) return null;
  const scheme = SCHEME.exec(text)?.[0] ?? '';
  if (scheme !== '' && !HOSTED.test(scheme)) return null;
  const rest = text.slice(scheme.length);
  const end = rest.search(AUTHORITY_END);
  const authority = end === -1 ? rest : rest.slice(0, end);
  if (authority === '' || authority.length > MAX_AUTHORITY_LENGTH || MISTAKABLE_END.test(rest.slice(authority.length))) return null;
  const match = HOST_AND_PORT.exec(authority);
  if (match === null || Number(match[2] ?? 0) > 65_535) return null;
  return normalHost(match[1] ?? '');
}

function normalHost(host: string): string | null {
  if (ADDRESS_LITERAL.test(host)) {
    const address = parsedHost(host);
    return address === null || holdsIpv4(address) ? null : address;
  }
  if (!NAME.test(host) || DOUBTFUL.test(host) || IGNORABLE.test(host) || host.normalize('NFKC') !== host) return null;
  const withoutDot = host.endsWith('.') ? host.slice(0, -1) : host;
  if (withoutDot === '' || /^\.|\.\.|\.$/.test(withoutDot)) return null;
  if (NUMERIC_END.test(withoutDot)) return DOTTED_IPV4.test(withoutDot) && withoutDot === host ? host : null;
  return parsedHost(withoutDot);
}

/** As WHATWG parses it: lower case, Punycode, shortest IPv6. */
function parsedHost(host: string): string | null {
  try {
    return new URL(`https://${host}/`).hostname;
  } catch {
    return null;
  }
}

/** Whether an IPv6 address, as WHATWG writes it, is a way to an IPv4 one. */
function holdsIpv4(address: string): boolean {
  if (address === '[::1]' || address === '[::]') return false;
  const [a, b, c, d, e, f] = groupsOf(address);
  const startsWithZeros = a === 0 && b === 0 && c === 0 && d === 0;
  return (
    // IPv4-compatible (RFC 4291, 2.5.5.1), mapped (2.5.5.2), translated (RFC 2765, ::ffff:0:0:0/96).
    (startsWithZeros && ((e === 0 && f === 0) || (e === 0 && f === 0xffff) || (e === 0xffff && f === 0))) ||
    // NAT64, also with a local prefix (RFC 6052, RFC 8215).
    (a === 0x64 && b === 0xff9b) ||
    // 6to4 (RFC 3056) and Teredo (RFC 4380).
    a === 0x2002 ||
    (a === 0x2001 && b === 0) ||
    // ISATAP (RFC 5214): 0000:5efe, with or without the universal and group bits.
    (e !== undefined && (e & ~0x0300) === 0 && f === 0x5efe)
  );
}

/** The eight numbers of `[2001:db8::1]`. */
function groupsOf(address: string): readonly number[] {
  const [before = '', after] = address.slice(1, -1).split('::');
  const numbers = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const head = numbers(before);
  if (after === undefined) return head;
  const tail = numbers(after);
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}
