/** A data directory with some days of work in it, checkpoints that were kept outside at the time, and the ways to alter a copy. */
import { hash, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { keySha256, restorationStatement, signHeader } from '@portcullis/policy-core';
import { bundlePath, decodeBundle, edgeTiles, emptyEdge, encodeBundle, extend, leafHash, parseSignerKey, rootOf, SEED_BYTES, signCheckpoint, signerFromSeed, tilePath, tilesOf, TILE_WIDTH } from '@portcullis/tlog';
import type { VerifierKey } from '@portcullis/tlog';
import Database from 'better-sqlite3';
import { openFoldShelf } from '../../apps/control-plane/src/fold-shelf.ts';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import type { Plane } from '../../apps/control-plane/src/plane.ts';
import { workOnce } from '../crash/work.js';

/** Events: more than a full tile, so that tiles and bundles of both kinds are there. */
const EVENTS = 400;
/** When checkpoints were kept outside. */
const KEPT_EARLY = 150;
const KEPT_LATE = 390;

export interface RecordedLog {
  readonly folder: string;
  readonly dataDir: string;
  /** Checkpoints that were kept outside. */
  readonly early: string;
  readonly late: string;
  /** The size that `early` states. */
  readonly earlySize: number;
  readonly size: number;
  readonly copy: () => string;
}

export function recordLog(): RecordedLog {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-tamper-'));
  const dataDir = join(folder, 'data');
  const plane = openIn(dataDir);
  const keep = (name: string): string => {
    const path = join(folder, name);
    writeFileSync(path, plane.history.checkpoint());
    return path;
  };
  work(plane, KEPT_EARLY, 0);
  const early = keep('early');
  const earlySize = plane.state().size;
  work(plane, KEPT_LATE, 0);
  const late = keep('late');
  work(plane, EVENTS, 0);
  const { size } = plane.state();
  plane.close();
  // 16 MiB that no test needs in its copy.
  writeFileSync(join(dataDir, 'ballast'), 'small');
  let copies = 0;
  const copy = (): string => {
    const to = join(folder, `copy-${(copies += 1)}`);
    cpSync(dataDir, to, { recursive: true });
    return to;
  };
  return { folder, dataDir, early, late, earlySize, size, copy };
}

function openIn(dataDir: string): Plane {
  const opened = openPlane({ dataDir, now: () => 1 });
  if (!opened.ok) throw new Error(opened.problem);
  return opened.plane;
}

function work(plane: Plane, size: number, shift: number): void {
  for (let n = plane.state().size + shift; plane.state().size < size; n++) workOnce(plane, n, 1_000_000 + n);
}

/** Writes into log.db as somebody may who has the file: no trigger, no check stands in the way. */
export function intrude(dataDir: string, act: (db: Database.Database) => void): void {
  const db = new Database(join(dataDir, 'log.db'));
  db.pragma('foreign_keys = OFF');
  db.pragma('ignore_check_constraints = ON');
  for (const { name } of db.prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'trigger'").all()) db.exec(`DROP TRIGGER ${name}`);
  act(db);
  db.close();
}

/** Opens the plane once, so that it keeps folds, as it does by itself once a log is long. */
export function keepFolds(dataDir: string): void {
  const opened = openPlane({ dataDir, now: () => 1, folds: { least: 50, segment: 128, every: 40 } });
  if (!opened.ok) throw new Error(opened.problem);
  opened.plane.close();
}

/** The newest kept fold says that no policy is in force; the plane's own key signs that. */
export function forgeFold(dataDir: string): void {
  const parsed = parseSignerKey(readFileSync(join(dataDir, 'keys', 'plane.key'), 'utf8').trim());
  if (!parsed.ok) throw new Error('the key cannot be read');
  const shelf = openFoldShelf(dataDir, parsed.signer);
  const newest = shelf.folds().at(-1);
  const state = newest === undefined ? undefined : shelf.stateAt(newest.size);
  if (newest === undefined || state === undefined || state.policies.size === 0) throw new Error('there is no fold with a policy in it');
  const { from, size, root } = newest;
  shelf.keep({ from, size, root }, newest.index(), { ...state, policies: new Map() });
}

/** A log of the same size and name with another history from its first event on, signed with the key of the first one. */
export function rewrite(dataDir: string, to: string, size: number): void {
  mkdirSync(join(to, 'keys'), { recursive: true });
  for (const file of ['keys/plane.key', 'recovery.key']) cpSync(join(dataDir, file), join(to, file));
  // A plane begins no log beside keys, unless it finds that it was about to.
  writeFileSync(join(to, 'beginning'), '');
  const plane = openIn(to);
  work(plane, size, 1_000);
  plane.close();
}

/** What was after `size` is done again, differently, with the stolen key: the log is cut there, and goes on. */
export function rewriteAfter(dataDir: string, size: number, until: number): void {
  cut(dataDir, size);
  const plane = openIn(dataDir);
  work(plane, until, 2_000);
  plane.close();
}

/** The events from `size` on are gone, and the head that was signed then is put back as the newest. */
export function cut(dataDir: string, size: number): void {
  intrude(dataDir, (db) => {
    db.prepare('DELETE FROM events WHERE seq >= ?').run(size);
    db.prepare('DELETE FROM checkpoints WHERE size > ?').run(size);
    db.prepare('DELETE FROM tiles WHERE (n + 1) * 256 > ?').run(size);
  });
}

/** Puts a file of an exported directory in another state. */
export function alter(directory: string, file: string, change: (bytes: Buffer) => Uint8Array): void {
  const path = join(directory, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, change(readFileSync(path)));
}

/**
 * What a forger makes of an exported log without any key of it: its first `size` events, and a LogRestored that leads to a key of the forger's, who then
 * signs. With a `statement` of its own a recovery key signed it, which the forged first event names instead of the true one; with `hidden` that first event stands
 * only in a bundle beside the one that is verified.
 */
export function forgeRestoration(directory: string, size: number, { statement, hidden = false }: { readonly statement: 'none' | 'own'; readonly hidden?: boolean }): void {
  const decoded = decodeBundle(readFileSync(join(directory, 'tile/entries/000')));
  if (!decoded.ok) throw new Error('the first bundle cannot be read');
  const texts = decoded.entries.slice(0, size).map((entry) => Buffer.from(entry).toString('utf8'));
  const forger = signerFromSeed('portcullis.local/f0f0f0f0', randomBytes(SEED_BYTES));
  const recovery = signerFromSeed('portcullis.local/recovery', randomBytes(SEED_BYTES));
  const base64 = ({ publicKey }: VerifierKey): string => Buffer.from(publicKey).toString('base64');
  const bodyOf = (text: string): Record<string, unknown> => JSON.parse(readFileSync(join(directory, 'payload', (JSON.parse(text) as { payload_sha256: string }).payload_sha256), 'utf8')) as Record<string, unknown>;
  const withBody = (text: string, body: unknown): string => {
    const bytes = Buffer.from(JSON.stringify(body));
    const sha256 = hash('sha256', bytes);
    writeFileSync(join(directory, 'payload', sha256), bytes);
    return JSON.stringify({ ...(JSON.parse(text) as object), payload_sha256: sha256, payload_len: bytes.length });
  };
  const [first = ''] = texts;
  const identity = bodyOf(first);
  const recoveryKeySha256 = keySha256(base64(recovery.verifierKey));
  const facts = { log: forger.verifierKey.name, publicKey: base64(forger.verifierKey), previousLog: String(identity['log']), previousSize: size };
  const signed = { recoveryKey: base64(recovery.verifierKey), signature: signHeader(recovery.sign, 'restored', restorationStatement(facts)) };
  const restored = withBody(JSON.stringify({ ...(JSON.parse(first) as object), seq: size, type: 'LogRestored', id: 'forged', reason_sha256: null }), { ...facts, recoveryKeySha256, statement: statement === 'own' ? signed : null });
  const forgedFirst = statement === 'own' ? withBody(first, { ...identity, recoveryKeySha256 }) : first;
  const claimed = [forgedFirst, ...texts.slice(1), restored].map((text) => Buffer.from(text));
  const published = hidden ? [...texts, restored].map((text) => Buffer.from(text)) : claimed;
  for (const gone of ['tile', 'AUDIT.md']) rmSync(join(directory, gone), { recursive: true });
  const write = (file: string, bytes: Uint8Array | string): void => {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), bytes);
  };
  let edge = emptyEdge();
  for (const entry of published) edge = extend(edge, leafHash(entry)).edge;
  write(bundlePath(0, published.length), encodeBundle(published));
  if (hidden) write(bundlePath(0, TILE_WIDTH), encodeBundle(claimed));
  for (const { level, n, width } of tilesOf(published.length)) write(tilePath(level, n, width), edgeTiles(edge, () => undefined)(level, n, width) ?? Buffer.alloc(0));
  write('checkpoint', signCheckpoint({ origin: forger.verifierKey.name, size: published.length, root: rootOf(edge) }, forger));
}
