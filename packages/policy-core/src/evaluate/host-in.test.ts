import { describe, expect, it } from 'vitest';
import { compileHostIn } from './host-in.ts';
import { FAILS, HOLDS, UNFIT } from './judged.ts';

const NAMES = new Map([[FAILS, 'outside'], [HOLDS, 'inside'], [UNFIT, 'unfit']] as const);

function judge(text: string, ...hosts: string[]): string | undefined {
  return NAMES.get(compileHostIn(hosts)(text));
}

describe('host_in', () => {
  it.each([
    'example.com', 'EXAMPLE.com', 'example.com:443', 'example.com.', 'https://example.com', 'https://example.com/', 'HTTPS://Example.COM:8443/a?b#c', 'http://example.com?x', 'http://example.com#x',
    'wss://example.com/', 'https://example.com./a', 'https://example.com/@evil.com', 'https://example.com/?u=https://evil.com/', 'https://example.com/a\\b', 'https://example.com/%2e%2e/',
    'example.com/path',
  ])('%j is example.com', (text) => {
    expect(judge(text, 'example.com')).toBe('inside');
    expect(judge(text, 'other.com', 'Example.COM.')).toBe('inside');
    expect(judge(text, '*.com')).toBe('inside');
  });

  it.each(['evil.com', 'example.com.evil.com', 'notexample.com', 'sub.example.com', 'https://evil.com/example.com', 'https://evil.com/?example.com', 'https://evil.com#example.com', 'example.org', 'xample.com', 'localhost', 'https://examp\u04cf\u0435.com/'])(
    '%j is another host',
    (text) => {
      expect(judge(text, 'example.com')).toBe('outside');
    },
  );

  it('takes globs for names below a name', () => {
    expect(judge('https://a.b.example.com/', '*.example.com')).toBe('inside');
    expect(judge('https://example.com/', '*.example.com')).toBe('outside');
    expect(judge('https://evilexample.com/', '*.example.com')).toBe('outside');
    expect(judge('https://A.EXAMPLE.com./', '*.Example.com')).toBe('inside');
  });

  it.each([
    ['userinfo', 'https://example.com@evil.com/'],
    ['userinfo with a password', 'https://example.com:x@evil.com/'],
    ['userinfo before the right host', 'https://evil.com@example.com/'],
    ['two at signs', 'https://a@evil.com@example.com/'],
    ['a backslash for a slash', 'https://example.com\\@evil.com/'],
    ['a backslash', 'https://evil.com\\.example.com/'],
    ['an escaped dot', 'https://example%2ecom/'],
    ['an escaped slash', 'https://evil.com%2f.example.com/'],
    ['an escaped at sign', 'https://example.com%40evil.com/'],
    ['double escapes', 'https://example%252ecom/'],
    ['no slashes', 'https:example.com'],
    ['one slash', 'https:/example.com'],
    ['three slashes', 'https:///example.com'],
    ['no scheme but slashes', '//example.com/'],
    ['a scheme without a host', 'javascript:alert(1)//example.com'],
    ['mail', 'mailto:a@example.com'],
    ['leading space', ' https://example.com/'],
    ['trailing space', 'https://example.com '],
    ['a tab inside, which browsers drop', 'https://exa\tmple.com/'],
    ['a newline inside, which browsers drop', 'https://exam\nple.com/'],
    ['NUL', 'https://example.com\0.evil.com/'],
    ['no-break space', 'https://example.com\u00a0/'],
    ['not NFC', 'https://e\u0301xample.com/'],
    ['not NFC in the path', 'https://example.com/e\u0301'],
    ['full-width letters', 'https://ｅxample.com/'],
    ['an ideographic full stop', 'https://example\u3002com/'],
    ['a letter that parsers map differently', 'https://stra\u00dfe.example.com/'],
    ['a zero-width joiner', 'https://exa\u200dmple.com/'],
    ['a soft hyphen', 'https://exa\u00admple.com/'],
    ['an empty label', 'https://example..com/'],
    ['a leading dot', 'https://.example.com/'],
    ['two trailing dots', 'https://example.com../'],
    ['a port that is none', 'https://example.com:99999/'],
    ['a port of letters', 'https://example.com:evil.com/'],
    ['a zone', 'http://[fe80::1%25eth0]/'],
    ['nothing', ''],
    ['only a scheme', 'https://'],
    ['a name longer than any', `https://${'a'.repeat(400)}.example.com/`],
    ['a lone surrogate', 'https://example.com/\ud800'],
    ['userinfo behind a fragment', 'http://example.com#@evil.com/'],
    ['userinfo behind a query', 'http://example.com?@evil.com/'],
    ['userinfo behind a port and a fragment', 'http://example.com:80#@evil.com:80/'],
    ['userinfo behind a fragment, without a scheme', 'example.com#@evil.com'],
    ['a backslash behind a query', 'http://example.com?\\@evil.com/'],
    ['a file of a host', 'file://example.com/etc/passwd'],
    ['a script', 'javascript://example.com/%0aalert(1)'],
    ['data', 'data://example.com/x'],
    ['another protocol', 'gopher://example.com/x'],
    ['a shell', 'ssh://example.com/repo'],
    ['several schemes', 'view-source:https://example.com/'],
    ...Array.from(';,&!$(=+~', (character) => [`${character} in a host`, `https://evil.com${character}.example.com/`]),
  ])('refuses %s', (_what, text) => {
    expect(judge(text, 'example.com', '*.example.com', '*')).toBe('unfit');
  });

  it.each([
    ['decimal', 'http://2130706433/'],
    ['hexadecimal', 'http://0x7f000001/'],
    ['octal', 'http://0177.0.0.1/'],
    ['hexadecimal parts', 'http://0x7f.0.0.1/'],
    ['short', 'http://127.1/'],
    ['with a leading zero', 'http://127.0.0.01/'],
    ['with a trailing dot', 'http://127.0.0.1./'],
    ['too large', 'http://127.0.0.256/'],
    ['full-width digits', 'http://１27.0.0.1/'],
    ['mapped into IPv6', 'http://[::ffff:127.0.0.1]/'],
    ['mapped into IPv6, hexadecimal', 'http://[::ffff:7f00:1]/'],
    ['mapped into IPv6, written out', 'http://[0:0:0:0:0:ffff:7f00:1]/'],
    ['IPv4-compatible IPv6', 'http://[::127.0.0.1]/'],
    ['translated (NAT64)', 'http://[64:ff9b::7f00:1]/'],
    ['tunnelled (6to4)', 'http://[2002:7f00:1::]/'],
    ['tunnelled (Teredo)', 'http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/'],
    ['tunnelled (Teredo), shortened', 'http://[2001::7f00:1]/'],
    ['tunnelled (ISATAP)', 'http://[2001:db8::5efe:7f00:1]/'],
    ['tunnelled (ISATAP), universal', 'http://[fe80::200:5efe:127.0.0.1]/'],
    ['translated (SIIT)', 'http://[::ffff:0:7f00:1]/'],
    ['translated (NAT64 with a local prefix)', 'http://[64:ff9b:1::7f00:1]/'],
  ])('refuses an IPv4 address that is %s', (_, text) => {
    expect(judge(text, '127.0.0.1')).toBe('unfit');
    expect(judge(text, '*')).toBe('unfit');
  });

  it('knows addresses in their normal forms', () => {
    expect(judge('http://127.0.0.1:8080/', '127.0.0.1')).toBe('inside');
    expect(judge('127.0.0.1', '127.0.0.*')).toBe('inside');
    expect(judge('http://127.0.0.2/', '127.0.0.1')).toBe('outside');
    expect(judge('http://[2001:DB8:0:0::1]:80/', '2001:db8::1')).toBe('inside');
    expect(judge('[2001:db8::1]', '[2001:db8::1]')).toBe('inside');
    expect(judge('http://[::1]/', '::1')).toBe('inside');
    expect(judge('http://[2001:db8::2]/', '2001:db8::1')).toBe('outside');
    expect(judge('http://[2001:db8::2]/', '[2001:DB8::*]')).toBe('inside');
    expect(judge('http://[2001:db9::2]/', '[2001:db8::*]', '*')).toBe('inside');
  });

  it('compares names of other scripts by their Punycode', () => {
    expect(judge('https://bücher.example/', 'bücher.example')).toBe('inside');
    expect(judge('https://xn--bcher-kva.example/', 'bücher.example')).toBe('inside');
    expect(judge('https://BÜCHER.example/', 'xn--bcher-kva.example')).toBe('inside');
    expect(judge('https://a.bücher.example/', '*.bücher.example')).toBe('inside');
    expect(judge('https://a.xn--bcher-kva.example/', '*.BÜCHER.example')).toBe('inside');
    expect(judge('https://a.bücher.example/', '*.bucher.example')).toBe('outside');
  });

  it.each(['', 'https://example.com', 'example.com/path', 'user@example.com', '2130706433', '::ffff:127.0.0.1', 'exa mple.com', '..', '*@x', '* ', ' *.example.com', '*.b?cher\u00fc.de', '*:80', 'https://*.example.com', '*.example.com/x', '*;', '*\\', '', 'a;b'])('does not take %j for a host', (host) => {
    expect(() => compileHostIn([host])).toThrow(/host_in/);
  });

  it('[E5] takes no longer than it should on adversarial text', () => {
    const isHost = compileHostIn(['example.com', '*.a.*.b.*.c']);
    for (const text of ['https://' + '@'.repeat(1e6), 'https://' + 'a.'.repeat(5e5), 'a'.repeat(1e6) + '://', 'https://example.com/' + '\u0301'.repeat(1e6), '1.'.repeat(140), '['.repeat(1e6)]) isHost(text);
    for (const text of ['https://example.com/' + '\u0323\u0301'.repeat(30_000), 'a+'.repeat(30_000), 'a.b.c.'.repeat(45)]) isHost(text);
  });
});
