/** What a log must still hold after a crash: every acknowledged event, once, in its place, under a tree and a signature that fit. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyEdge, openCheckpoint, parseSignerKey, rootOf } from '@portcullis/tlog';
import type { Edge, VerifierKey } from '@portcullis/tlog';
import type { Recorded } from '../../apps/control-plane/src/domain/events.ts';
import { readEvents } from '../../apps/control-plane/src/log/log.ts';
import { openSqliteStore } from '../../apps/control-plane/src/log/sqlite-store.ts';

/** One line that a plane printed: seq, id and hash of the event. */
export interface Acknowledgement {
  readonly seq: number;
  readonly id: string;
  readonly sha256: string;
}

/** A last line without its end was not read by anybody. */
export function acknowledgements(output: string): readonly Acknowledgement[] {
  const whole = output.slice(0, output.lastIndexOf('\n') + 1);
  return whole.split('\n').filter((line) => line !== '').map((line) => {
    const [seq = '', id = '', sha256 = ''] = line.split(' ');
    return { seq: Number(seq), id, sha256 };
  });
}

export interface Known {
  readonly edge: Edge;
  readonly ids: readonly string[];
}

export const NOTHING_KNOWN: Known = { edge: emptyEdge(), ids: [] };

/**
 * Reads the log after `known`, checks each leaf, payload and tile, the root and the signature over it, and that ids are unique. Throws with
 * what is wrong; gives what is known then, which later acknowledgements and the next reading are held against.
 */
export function readOn(dataDir: string, known: Known, acknowledged: readonly Acknowledgement[]): Known {
  const wanted = new Map(acknowledged.map((one) => [one.seq, one]));
  const ids = [...known.ids];
  const store = openSqliteStore(join(dataDir, 'log.db'));
  try {
    const reading = readEvents(store, known.edge, Number.MAX_SAFE_INTEGER);
    let next = reading.next();
    for (; next.done !== true; next = reading.next()) {
      const wrong = differs(next.value, wanted.get(next.value.seq));
      if (wrong !== undefined) throw new Error(wrong);
      wanted.delete(next.value.seq);
      ids.push(next.value.id);
    }
    for (const { seq, id } of wanted.values()) if (ids[seq] !== id) throw new Error(`event ${seq} (${id}) was acknowledged and is ${seq >= ids.length ? 'lost' : 'another now'}`);
    if (new Set(ids).size !== ids.length) throw new Error('an event is in the log twice');
    const edge = next.value;
    const head = store.checkpoint();
    const signed = head === undefined ? undefined : openCheckpoint(head.note, keyOf(dataDir));
    if (head === undefined && edge.size === 0) return { edge, ids };
    if (signed?.ok !== true) throw new Error('the newest head is not signed by the key of the log');
    if (signed.checkpoint.size !== edge.size || Buffer.compare(signed.checkpoint.root, rootOf(edge)) !== 0) throw new Error(`the signed head (${signed.checkpoint.size}) is not that of the ${edge.size} events`);
    return { edge, ids };
  } finally {
    store.close();
  }
}

function differs(recorded: Recorded, acknowledged: Acknowledgement | undefined): string | undefined {
  if (acknowledged === undefined) return undefined;
  const sha256 = createHash('sha256').update(JSON.stringify(recorded.event)).digest('hex');
  return recorded.id === acknowledged.id && sha256 === acknowledged.sha256 ? undefined : `event ${recorded.seq} was acknowledged as another`;
}

function keyOf(dataDir: string): VerifierKey {
  const parsed = parseSignerKey(readFileSync(join(dataDir, 'keys', 'plane.key'), 'utf8').trim());
  if (!parsed.ok) throw new Error('the key of the log cannot be read');
  return parsed.signer.verifierKey;
}
