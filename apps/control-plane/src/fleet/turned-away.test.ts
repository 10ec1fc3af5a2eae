import type { HelloHeader } from '@portcullis/policy-core';
import { expect, it } from 'vitest';
import { turnedAwayBook } from './turned-away.ts';

const OURS = { log: 'ours', size: 7, nameOf: (host: string) => (host === 'h-1' ? 'laptop' : null) };

function hello(host: string, server = 'files', log = 'ours'): HelloHeader {
  return { host, server, log } as unknown as HelloHeader;
}

it('counts one proxy once, however often it knocks, and says since when', () => {
  const book = turnedAwayBook();
  const knock = { reason: 'revoked', hello: hello('h-1'), proved: true, from: '192.0.2.1' } as const;
  expect(book.note(knock, 1_000)).toBe(true);
  expect(book.note({ ...knock, from: '192.0.2.2' }, 2_000)).toBe(false);
  expect(book.list(OURS, 2_000)).toMatchObject([{ host: 'h-1', hostName: 'laptop', server: 'files', proved: true, from: '192.0.2.2', reason: 'revoked', count: 2, firstMs: 1_000, lastMs: 2_000 }]);
  expect(book.list(OURS, 2_000 + 3_600_001)).toEqual([]);
  expect(book.note(knock, 2_000 + 3_600_001)).toBe(true);
  expect(book.list(OURS, 2_000 + 3_600_001)).toMatchObject([{ count: 1 }]);
});

it('is bounded, and no number of claims pushes out what was proved', () => {
  const book = turnedAwayBook();
  for (let n = 0; n < 1_000; n += 1) book.note({ reason: 'other-log', hello: hello(`h-${n}`, 'files', 'theirs'), proved: true, from: null }, n);
  const before = book.list(OURS, 1_000).length;
  for (let n = 0; n < 10_000; n += 1) book.note({ reason: 'unauthorised', hello: hello(`x-${n}`), proved: false, from: null }, 1_000 + n);
  const listed = book.list(OURS, 11_000);
  expect(listed.filter(({ proved }) => proved)).toHaveLength(before);
  expect(listed.length).toBeLessThanOrEqual(250);
  expect(listed[0]).toMatchObject({ host: 'x-9999', hostName: null });
});

it('names no host by what somebody claims, and forgets whoever came in', () => {
  const book = turnedAwayBook();
  book.note({ reason: 'unauthorised', hello: hello('h-1'), proved: false, from: null }, 0);
  book.note({ reason: 'other-log', hello: hello('h-1', 'git', 'theirs'), proved: true, from: null }, 0);
  book.note({ reason: 'bad-frame', hello: null, proved: false, from: '::1' }, 0);
  expect(book.list(OURS, 0).map(({ host, hostName }) => [host, hostName])).toEqual([['h-1', 'laptop'], ['h-1', null], [null, null]]);
  expect(book.list(OURS, 0)[0]?.message).toContain('portcullis-proxy trust ours');
  book.admitted({ host: 'h-1', server: 'files' });
  expect(book.list(OURS, 0).map(({ reason }) => reason)).toEqual(['other-log', 'bad-frame']);
});
