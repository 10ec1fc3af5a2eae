import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { certaintyAt } from './fleet.ts';
import { openLedger } from './ledger.ts';

const key = { host: 'h', server: 's', boot: 'b' };
const held = (p: number, r = 1) => ({ policies: { version: p, digest: `p${p}` }, restrictions: { version: r, digest: `r${r}` } });

describe('the ledger', () => {
  it('keeps what was enforced as intervals, with the uncertainty between two', () => {
    const ledger = openLedger(':memory:');
    ledger.seen({ ...key, upstream: 'u', atMs: 1 });
    ledger.holds(key, held(1), 10);
    ledger.holds(key, held(1), 20);
    ledger.flush();
    ledger.holds(key, held(1), 30);
    ledger.holds(key, held(2), 35);
    ledger.gone(key, 50, false);
    const rows = ledger.enforced({ host: 'h', fromMs: 0, toMs: 100, limit: 10 });
    expect(rows.map(({ policiesVersion, fromMs, toMs, notBeforeMs }) => [policiesVersion, fromMs, toMs, notBeforeMs])).toEqual([[2, 35, 35, 30], [1, 10, 30, null]]);
    expect(ledger.enforced({ fromMs: 15, toMs: 15, limit: 10 }).map(({ policiesVersion }) => policiesVersion)).toEqual([1]);
    expect(ledger.proxies()).toMatchObject([{ ...key, upstream: 'u', lastSeenMs: 50, ended: false, policies: { version: 2 } }]);
    ledger.close();
  });

  it('knows of a proxy whose going nobody noted, because the plane was killed, its last sign of life', () => {
    const folder = mkdtempSync(join(tmpdir(), 'portcullis-ledger-'));
    const killed = openLedger(join(folder, 'fleet.db'));
    killed.seen({ ...key, upstream: 'u', atMs: 1 });
    killed.holds(key, held(1), 10);
    killed.holds(key, held(1), 180_000);
    killed.flush();
    const again = openLedger(join(folder, 'fleet.db'));
    expect(again.proxies()).toMatchObject([{ ...key, lastSeenMs: 180_000, ended: false }]);
    for (const ledger of [again, killed]) ledger.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('says of a moment what is certain, what may have been, and what is only the last that is known', () => {
    const ledger = openLedger(':memory:');
    const at = (atMs: number, server = 's') => ledger.enforced({ host: 'h', server, fromMs: atMs, toMs: atMs, limit: 10 }).map((row) => [row.policiesVersion, certaintyAt(row, atMs)]);
    ledger.seen({ ...key, upstream: 'u', atMs: 1 });
    ledger.holds(key, held(1), 10);
    ledger.holds(key, held(1), 30);
    ledger.holds(key, held(2), 35);
    ledger.holds(key, held(2), 40);
    ledger.gone(key, 41, false);
    expect(at(5)).toEqual([]);
    expect(at(20)).toEqual([[1, 'certain']]);
    expect(at(32)).toEqual([[2, 'either'], [1, 'either']]);
    expect(at(38)).toEqual([[2, 'certain']]);
    expect(at(300_000)).toEqual([[2, 'last-known']]);
    // It comes back with what it had, and then gets another version.
    ledger.holds(key, held(2), 100);
    ledger.holds(key, held(2), 110);
    ledger.holds(key, held(3), 120);
    expect(at(70)).toEqual([[2, 'last-known']]);
    expect(at(105)).toEqual([[2, 'certain']]);
    expect(at(115)).toEqual([[3, 'either'], [2, 'either']]);
    // Away for longer than anybody connected is silent, and back with something else.
    ledger.holds(key, held(4), 200_000);
    expect(at(1_000)).toEqual([[3, 'last-known']]);
    expect(at(199_000)).toEqual([[4, 'either'], [3, 'either']]);
    ledger.gone(key, 200_130, true);
    expect(at(200_125)).toEqual([[4, 'last-known']]);
    expect(at(200_131)).toEqual([]);
    // A process that was killed: known until another one of the same host and server is heard of.
    const killed = { ...key, server: 't', boot: 'b1' };
    ledger.seen({ ...killed, upstream: 'u', atMs: 1 });
    ledger.holds(killed, held(1), 10);
    ledger.gone(killed, 15, false);
    ledger.holds({ ...killed, boot: 'b2' }, held(4), 50);
    expect(at(40, 't')).toEqual([[1, 'either']]);
    expect(at(50, 't')).toEqual([[4, 'certain'], [1, 'last-known']]);
    expect(at(51, 't')).toEqual([[4, 'last-known']]);
    ledger.close();
  });

  it('knows that nothing else was in force before something else was sent', () => {
    const ledger = openLedger(':memory:');
    const at = (atMs: number) => ledger.enforced({ fromMs: atMs, toMs: atMs, limit: 10 }).map((row) => [row.policiesVersion, certaintyAt(row, atMs)]);
    ledger.holds(key, held(1), 10, 10);
    ledger.holds(key, held(2), 1_005, 1_000);
    expect([at(999), at(1_002), at(1_005)]).toEqual([[[1, 'certain']], [[2, 'either'], [1, 'either']], [[2, 'certain']]]);
    // Two were sent; only the first is answered for, and the second may be in force since.
    ledger.holds(key, held(3), 2_010, 2_000);
    ledger.holds(key, held(4), 2_020, 2_000);
    expect([at(1_999), at(2_015)]).toEqual([[[2, 'certain']], [[4, 'either'], [3, 'either']]]);
    ledger.close();
  });

  it('[W8] a connect counter that comes twice means a copied key; one that comes late does not', () => {
    const ledger = openLedger(':memory:');
    for (const counter of [1, 2, 5, 4, 3, 9]) expect(ledger.takeCounter('h', counter, 1), String(counter)).toBe(false);
    expect(ledger.copied('h')).toBe(false);
    expect(ledger.takeCounter('h', 4, 2)).toBe(true);
    expect([ledger.copied('h'), ledger.copied('other')]).toEqual([true, false]);
    expect(ledger.takeCounter('k', 1000, 3)).toBe(false);
    expect(ledger.takeCounter('k', 1, 3)).toBe(true);
    ledger.close();
  });
});
