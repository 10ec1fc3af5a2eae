import { describe, expect, it } from 'vitest';
import { createPendingTable } from './pending.ts';

describe('pending requests', () => {
  it('are known by typed id, once', () => {
    const table = createPendingTable<string>(() => undefined);
    table.add(1, 'number');
    table.add('1', 'text');
    expect([table.take(1), table.take(1), table.take('1'), table.size]).toEqual(['number', undefined, 'text', 0]);
  });

  it('keep a cancelled one for a late answer, until its id is used again', () => {
    const forgotten: string[] = [];
    const table = createPendingTable<string>((entry) => forgotten.push(entry));
    table.add(1, 'first');
    table.cancel(1);
    expect([table.has(1), table.size]).toEqual([false, 0]);
    table.add(1, 'second');
    expect([forgotten, table.take(1), table.take(1)]).toEqual([['first'], 'second', undefined]);
    table.add(2, 'third');
    table.cancel(2);
    expect([table.take(2), forgotten]).toEqual(['third', ['first']]);
  });

  it('forget the oldest cancelled ones, and hand out all at the end', () => {
    const forgotten: number[] = [];
    const table = createPendingTable<number>((entry) => forgotten.push(entry));
    for (let id = 0; id < 300; id++) {
      table.add(id, id);
      table.cancel(id);
    }
    expect(forgotten).toEqual(Array.from({ length: 44 }, (_, id) => id));
    table.add('open', -1);
    const rest = table.drain();
    expect(rest.filter(({ cancelled }) => !cancelled)).toEqual([{ id: 'open', entry: -1, cancelled: false }]);
    expect([rest.length, table.size, table.drain()]).toEqual([257, 0, []]);
  });
});
