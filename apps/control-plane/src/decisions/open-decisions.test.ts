import { describe, expect, it } from 'vitest';
import type { DecisionRow } from '@portcullis/policy-core';
import { openDecisions } from './open-decisions.ts';

const from = { host: 'h', server: 's' };
function row(n: number, more: Partial<DecisionRow> = {}): DecisionRow {
  return {
    boot: 'b', n, atMs: 1000 + n, kind: 'tool', name: `t${n % 2}`, decision: n % 2 === 0 ? 'allow' : 'deny', reason: 'rule', rule: 'r', message: null, sources: ['a.yaml'], observed: [], policiesVersion: 1,
    restrictionsVersion: null, freshness: 'fresh', argumentsHmac: null, client: null, ...more,
  };
}

describe('the store of decisions', () => {
  it('takes each decision once, and shows gaps', () => {
    const store = openDecisions(':memory:');
    const heard: number[] = [];
    store.onIngested((rows) => heard.push(...rows.map(({ n }) => n)));
    store.ingest(from, [row(0), row(1)]);
    store.ingest(from, [row(1), row(2), row(5)]);
    expect(heard).toEqual([0, 1, 2, 5]);
    expect(store.boots({ limit: 5 })).toMatchObject([{ ...from, boot: 'b', highest: 5, stored: 4, missing: 2 }]);
    store.ingest(from, []);
    store.close();
  });

  it('answers questions, newest first, within bounds', () => {
    const store = openDecisions(':memory:');
    store.ingest(from, Array.from({ length: 10 }, (_, n) => row(n)));
    store.ingest({ host: 'other', server: 's' }, [row(0, { boot: 'c', kind: 'resource' })]);
    expect(store.query({ limit: 2, host: 'h' }).map(({ n }) => n)).toEqual([9, 8]);
    expect(store.query({ limit: 50, decision: 'deny', sinceMs: 1005 }).map(({ n }) => n)).toEqual([9, 7, 5]);
    expect(store.query({ limit: 50, tool: 't0' })).toHaveLength(5);
    const [newest] = store.query({ limit: 1, host: 'h' });
    expect(store.query({ limit: 50, host: 'h', before: newest?.id ?? 0 })[0]?.n).toBe(8);
    expect(newest?.sources).toEqual(['a.yaml']);
    expect([store.query({ limit: -1 }), store.query({ limit: 0 })]).toEqual([[], []]);
    store.close();
  });

  it('gives way when the disk gets tight, counts what it lost, and goes on when there is room', () => {
    let [free, now] = [10, 0];
    const store = openDecisions(':memory:', { disk: () => ({ free, total: 1000 }), now: () => now });
    store.ingest(from, [row(0)]);
    expect([store.lost(), store.query({ limit: 5 })]).toEqual([1, []]);
    [free, now] = [500, 10_000];
    store.ingest(from, [row(1)]);
    expect([store.lost(), store.query({ limit: 5 }).length]).toEqual([1, 1]);
    store.close();
  });

  it('a store that cannot be written loses rows, not the plane', () => {
    const store = openDecisions(':memory:');
    store.close();
    store.ingest(from, [row(0)]);
    expect(store.lost()).toBe(1);
  });
});
