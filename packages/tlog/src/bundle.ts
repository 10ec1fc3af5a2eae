/** C2SP tlog-tiles, entry bundles: up to 256 entries, each behind its length as a big-endian uint16. */
import { refused } from './problem.ts';
import type { Refused } from './problem.ts';
import { TILE_WIDTH } from './tile.ts';

/** The largest entry that the uint16 length can state. */
export const MAX_ENTRY_BYTES = 65_535;

const LENGTH_BYTES = 2;

/** The bytes of a bundle of 1 to 256 entries. An entry over 65,535 bytes is the caller's bug: what cannot be published must not be recorded. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length < 1 || entries.length > TILE_WIDTH) throw new RangeError(`a bundle holds 1 to ${TILE_WIDTH} entries, not ${entries.length}`);
  const total = entries.reduce((sum, entry) => sum + LENGTH_BYTES + entry.length, 0);
  const bytes = new Uint8Array(total);
  let offset = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) throw new RangeError(`an entry has at most ${MAX_ENTRY_BYTES} bytes, not ${entry.length}`);
    bytes[offset] = entry.length >>> 8;
    bytes[offset + 1] = entry.length & 0xff;
    bytes.set(entry, offset + LENGTH_BYTES);
    offset += LENGTH_BYTES + entry.length;
  }
  return bytes;
}

export type DecodedBundle = { readonly ok: true; readonly entries: readonly Uint8Array[] } | Refused;

/** The entries of a bundle, as views of its bytes; `where` names it in a problem. Refuses a cut, an empty or an overfull one. */
export function decodeBundle(bytes: Uint8Array, where = 'entry bundle'): DecodedBundle {
  const entries: Uint8Array[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    if (entries.length === TILE_WIDTH) return refused('BUNDLE_MALFORMED', where, `more than ${TILE_WIDTH} entries; fetch the bundle again`);
    const high = bytes[offset];
    const low = bytes[offset + 1];
    const start = offset + LENGTH_BYTES;
    if (high === undefined || low === undefined) return cutAt(offset, where);
    const end = start + high * 256 + low;
    if (end > bytes.length) return cutAt(offset, where);
    entries.push(bytes.subarray(start, end));
    offset = end;
  }
  if (entries.length === 0) return refused('BUNDLE_MALFORMED', where, 'no entries; fetch the bundle again');
  return { ok: true, entries };
}

function cutAt(offset: number, where: string): Refused {
  return refused('BUNDLE_MALFORMED', where, `the entry at byte ${offset} is cut short; fetch the bundle again`);
}
