/**
 * C2SP tlog-tiles: the tree as files of up to 256 hashes. Level 0 holds leaf hashes; each hash of a level above is the root of a
 * full tile of the level below. Only the rightmost tile of a level can be partial, and a partial one is not hashed upwards.
 */
import { HASH_BYTES } from './hash.ts';

/** Hashes in a full tile, and entries in a full bundle (tlog-tiles fixes it). */
export const TILE_WIDTH = 256;

/** Levels of the tree that one tile spans: 2^8 = 256. */
export const TILE_HEIGHT = 8;

/** A full tile: 8,192 bytes. */
export const TILE_BYTES = TILE_WIDTH * HASH_BYTES;

/** tlog-tiles allows levels 0 to 63; a safe integer of leaves never needs more than 7 of them. */
const MAX_LEVEL = 63;

export interface TileName {
  readonly level: number;
  /** Index within the level, from 0. */
  readonly n: number;
  /** 1 to 256; less than 256 is a partial tile. */
  readonly width: number;
}

/**
 * Gives the stored bytes of a tile: `width` hashes, or more where the tile has grown since (the first `width` are then used).
 * Undefined where there is none.
 */
export type TileReader = (level: number, n: number, width: number) => Uint8Array | undefined;

/** `tile/<L>/<N>`, and `.p/<W>` for a partial tile. */
export function tilePath(level: number, n: number, width: number = TILE_WIDTH): string {
  if (!Number.isInteger(level) || level < 0 || level > MAX_LEVEL) throw new RangeError(`tile level ${level} is not 0 to ${MAX_LEVEL}`);
  return `tile/${level}/${numberPath(n)}${widthSuffix(width)}`;
}

/** `tile/entries/<N>`, and `.p/<W>` for a partial bundle. */
export function bundlePath(n: number, width: number = TILE_WIDTH): string {
  return `tile/entries/${numberPath(n)}${widthSuffix(width)}`;
}

/** Every tile of a tree of `size` leaves, level by level, in order. The tiles of level 0 are also the names of its bundles. */
export function* tilesOf(size: number): Generator<TileName> {
  for (let level = 0; hashesAt(level, size) > 0; level += 1) {
    const hashes = hashesAt(level, size);
    for (let n = 0; n * TILE_WIDTH < hashes; n += 1) yield { level, n, width: widthOf(level, n, size) };
  }
}

/** How many hashes the tiles of a level hold in a tree of `size` leaves. */
export function hashesAt(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** The width of tile `n` of a level in a tree of `size` leaves; 0 or less where there is no such tile. */
export function widthOf(level: number, n: number, size: number): number {
  return Math.min(TILE_WIDTH, hashesAt(level, size) - n * TILE_WIDTH);
}

/** Hashes of a tile one by one, as views of its bytes. Undefined where there are fewer than `width` or a broken one. */
export function splitTile(bytes: Uint8Array, width: number): readonly Uint8Array[] | undefined {
  if (bytes.length % HASH_BYTES !== 0 || bytes.length > TILE_BYTES || bytes.length < width * HASH_BYTES) return undefined;
  return Array.from({ length: width }, (_, i) => bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
}

export function joinTile(hashes: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * HASH_BYTES);
  hashes.forEach((one, i) => bytes.set(one, i * HASH_BYTES));
  return bytes;
}

/** 1234067 is `x001/x234/067`: three digits an element, all but the last marked, so that no file is also a folder. */
function numberPath(n: number): string {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`tile index ${n} is not a whole number from 0`);
  const digits = n.toString();
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const elements = padded.match(/\d{3}/g) ?? [];
  return elements.map((element, i) => (i < elements.length - 1 ? `x${element}` : element)).join('/');
}

function widthSuffix(width: number): string {
  if (!Number.isInteger(width) || width < 1 || width > TILE_WIDTH) throw new RangeError(`tile width ${width} is not 1 to ${TILE_WIDTH}`);
  return width === TILE_WIDTH ? '' : `.p/${width}`;
}
