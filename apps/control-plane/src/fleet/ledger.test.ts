import { describe, expect, it } from 'vitest';
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
