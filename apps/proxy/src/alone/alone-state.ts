/** What a proxy that runs alone enforces and what is wrong with its files, for whoever asks on this host. */
import { shape } from '@portcullis/policy-core';

export interface AloneState {
  /** The policies' file or directory, its links resolved. */
  readonly path: string;
  /** When this set came into force, in milliseconds since 1970; null: nothing is in force, and every call is denied. */
  readonly sinceMs: number | null;
  /** How many sets have been in force in this process. */
  readonly version: number;
  /** The policies that are for this server, by id. */
  readonly policies: readonly string[];
  /** Policies that select by labels, which only an enrolled host has: they are not in force here. */
  readonly labelled: readonly string[];
  /** Since when the files as a whole cannot be seen; null while they can. */
  readonly lostSinceMs: number | null;
  /** What is wrong with the files, the first few, in one line each. */
  readonly problems: readonly string[];
}

/** As many as a directory holds. */
const MAX_POLICIES = 5_000;
const MAX_PROBLEMS = 16;
const moment = shape.nullable(shape.whole());
const short = shape.text(4096);
const ids = shape.list(shape.text(512), MAX_POLICIES);

export const aloneState = shape.object<AloneState>({
  path: short, sinceMs: moment, version: shape.whole(), policies: ids, labelled: ids, lostSinceMs: moment, problems: shape.list(short, MAX_PROBLEMS),
});
