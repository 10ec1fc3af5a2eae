/** Names of tiles and bundles, by the examples of C2SP tlog-tiles, and bundles there and back. */
import { describe, expect, test } from 'vitest';
import { bundlePath, decodeBundle, encodeBundle, MAX_ENTRY_BYTES, tilePath, tilesOf } from './index.ts';
import { seeded } from './testing/seeded.ts';

const SEED = Number(process.env['PORTCULLIS_SEED'] ?? 20261122);

describe('tile paths', () => {
  test.each([
    [tilePath(0, 0), 'tile/0/000'],
    [tilePath(0, 1_234_067), 'tile/0/x001/x234/067'],
    [tilePath(1, 999, 17), 'tile/1/999.p/17'],
    [tilePath(2, 1000, 256), 'tile/2/x001/000'],
    [tilePath(63, 0, 1), 'tile/63/000.p/1'],
    [bundlePath(1_234_067), 'tile/entries/x001/x234/067'],
    [bundlePath(0, 255), 'tile/entries/000.p/255'],
  ])('%s', (path, wanted) => expect(path).toBe(wanted));

  test('refuse a level, an index or a width that does not exist', () => {
    for (const wrong of [() => tilePath(-1, 0), () => tilePath(64, 0), () => tilePath(0, -1), () => tilePath(0, 0.5), () => tilePath(0, 0, 0), () => bundlePath(0, 257), () => bundlePath(NaN)]) {
      expect(wrong).toThrow(RangeError);
    }
  });

  test('of a tree of 70,000 are those of the example in tlog-tiles', () => {
    const tiles = [...tilesOf(70_000)];
    const count = (level: number, full: boolean): number => tiles.filter((tile) => tile.level === level && (tile.width === 256) === full).length;
    expect([count(0, true), count(0, false), count(1, true), count(1, false), count(2, false)]).toEqual([273, 1, 1, 1, 1]);
    expect(tiles.filter((tile) => tile.width < 256).map((tile) => tile.width)).toEqual([112, 17, 1]);
    expect([...tilesOf(256)]).toEqual([{ level: 0, n: 0, width: 256 }, { level: 1, n: 0, width: 1 }]);
    expect([...tilesOf(0)]).toEqual([]);
  });
});

describe('entry bundles', () => {
  test('give back the entries, whatever their sizes', () => {
    const random = seeded(SEED);
    for (let round = 0; round < 200; round += 1) {
      const entries = Array.from({ length: 1 + random.below(256) }, () => Uint8Array.from({ length: random.below(40) }, () => random.below(256)));
      const decoded = decodeBundle(encodeBundle(entries));
      expect(decoded.ok && decoded.entries, `seed ${SEED}, round ${round}`).toEqual(entries);
    }
    const largest = [new Uint8Array(MAX_ENTRY_BYTES).fill(7), new Uint8Array(0), new Uint8Array(256)];
    const decoded = decodeBundle(encodeBundle(largest));
    expect(decoded.ok && decoded.entries).toEqual(largest);
  });

  test('refuse to hold none, too many, or an entry that is too long', () => {
    expect(() => encodeBundle([])).toThrow(RangeError);
    expect(() => encodeBundle(Array.from({ length: 257 }, () => new Uint8Array(1)))).toThrow(RangeError);
    expect(() => encodeBundle([new Uint8Array(MAX_ENTRY_BYTES + 1)])).toThrow(RangeError);
  });

  test('that are empty, overfull or cut at any byte inside an entry are refused', () => {
    const bytes = encodeBundle([Buffer.from('one'), Buffer.from('three')]);
    for (let end = 0; end < bytes.length; end += 1) expect(decodeBundle(bytes.subarray(0, end)).ok, `cut at ${end}`).toBe(end === 5);
    expect(decodeBundle(new Uint8Array(2 * 257), 'tile/entries/000')).toMatchObject({ ok: false, problems: [{ code: 'BUNDLE_MALFORMED', where: 'tile/entries/000' }] });
    expect(decodeBundle(new Uint8Array(2 * 256)).ok).toBe(true);
  });
});
