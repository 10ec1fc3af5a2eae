import { expect, it } from 'vitest';
import { pooledRandom } from './pooled-random.ts';

it('gives bytes of any length, and none of them twice', () => {
  const random = pooledRandom();
  const seen = new Set<string>();
  for (let n = 0; n < 2_000; n++) {
    const bytes = random(16);
    expect(bytes).toHaveLength(16);
    seen.add(bytes.toString('hex'));
  }
  expect(seen.size).toBe(2_000);
  expect([random(0).length, random(4_096).length, random(10_000).length]).toEqual([0, 4_096, 10_000]);
  const first = random(8);
  first.fill(0);
  expect(random(8).equals(Buffer.alloc(8))).toBe(false);
});
