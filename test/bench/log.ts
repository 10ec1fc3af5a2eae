/**
 * The log in figures: appends beside a bare durable insert of the same bytes in the same run, opening and serving a long log, verifying an
 * exported one, sizes of proofs.
 *
 *   npm run bench:log [-- --events 1000000 --appends 2000 --verified 100000 --json]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { edgeTiles, encodeProofFile, inclusionProof, openCheckpoint, parseSignerKey, consistencyProof, encodeHash } from '@portcullis/tlog';
import Database from 'better-sqlite3';
import { edgeAt } from '../../apps/control-plane/src/log/log.ts';
import { openSqliteReader } from '../../apps/control-plane/src/log/sqlite-store.ts';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import { PORTCULLIS, run } from '../world/process.ts';
import { startPlane } from '../world/plane.ts';
import { writeLongLog } from './long-log.ts';
import { JSON_ONLY, option, printTable, round, summarise, type Summary } from './table.ts';

const EVENTS = option('events', 1_000_000);
const APPENDS = option('appends', 2_000);
const VERIFIED = option('verified', 100_000);

/** Goals, as the project set them itself. */
const GOALS = { timesBare: 2, openSeconds: 2, openMiB: 300, verifySeconds: 5 } as const;

const directory = mkdtempSync(join(tmpdir(), 'portcullis-bench-log-'));
try {
  const report = { appends: measureAppends(), ...(await measureOpening()), ...(await measureVerifying()) };
  if (JSON_ONLY) console.log(JSON.stringify({ goals: GOALS, ...report }));
  else print(report);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

interface Appends {
  readonly plane: Summary;
  readonly bare: Summary;
  readonly planePerSecond: number;
  readonly barePerSecond: number;
  /** Mean of the plane's over mean of the bare ones. */
  readonly ratio: number;
  readonly bytes: number;
}

interface Report extends Opening, Verifying {
  readonly appends: Appends;
}

/** In turn, so that whatever else the machine does meets both. */
function measureAppends(): Appends {
  const dataDir = join(directory, 'appends');
  const opened = openPlane({ dataDir, now: Date.now });
  if (!opened.ok) throw new Error(opened.problem);
  const { plane } = opened;
  const written = openSqliteReader(join(dataDir, 'log.db'));
  const db = new Database(join(directory, 'bare.db'));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE rows(seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT');
  const insert = db.prepare('INSERT INTO rows VALUES (?, ?)');
  const [planes, bares]: [number[], number[]] = [[], []];
  let bytes = 0;
  for (let n = 0; n < APPENDS; n++) {
    planes.push(took(() => append(n)));
    const same = bytesOfLast();
    bytes += same.length;
    bares.push(took(() => insert.run(n, same)));
  }
  written.close();
  db.close();
  plane.close();
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const perSecond = (values: readonly number[]): number => Math.round(values.length / (sum(values) / 1_000));
  return { plane: summarise(planes), bare: summarise(bares), planePerSecond: perSecond(planes), barePerSecond: perSecond(bares), ratio: round(sum(planes) / sum(bares)), bytes: Math.round(bytes / APPENDS) };

  function append(n: number): void {
    const [restriction] = plane.state().restrictions.keys();
    const meta = { nowMs: Date.now(), actor: { kind: 'operator', id: 'op' }, auth: { method: 'token', ref: 'op' }, reason: 'an incident', idem: `key-${n}`, cause: null } as const;
    const done = restriction === undefined
      ? plane.execute({ kind: 'restrict', selector: { server: [`server-${n}`], labels: {} }, tools: null, readOnly: false, expiresAtMs: null }, meta)
      : plane.execute({ kind: 'lift', restriction, expected: null }, meta);
    if (!done.ok) throw new Error(done.refusal.message);
  }

  /** Everything that the last append put into the log: entry, leaf, payloads, signed head. */
  function bytesOfLast(): Buffer {
    const size = plane.state().size;
    const [stored] = written.read(size - 1, size);
    if (stored === undefined) throw new Error('the last event is not there');
    const { payload_sha256: body, reason_sha256: reason } = JSON.parse(stored.entry.toString('utf8')) as { readonly payload_sha256: string; readonly reason_sha256: string };
    const payloads = [body, reason].map((sha256) => written.payload(sha256)).flatMap((payload) => [payload?.salt, payload?.body]);
    const parts = [stored.entry, stored.leaf, ...payloads, Buffer.from(written.checkpoint(size)?.note ?? '')];
    return Buffer.concat(parts.filter((part) => part !== undefined && part !== null));
  }
}

interface Opening {
  readonly opening: {
    readonly events: number;
    readonly fileMiB: number;
    /** From the start of the process to its first answer over HTTP. */
    readonly serveSeconds: number;
    /** Of the process, after it has answered a few questions. */
    readonly peakMiB: number;
    readonly openSeconds: number;
    /** Without kept folds: everything is read, as after they were deleted. */
    readonly wholeSeconds: number;
    readonly emptyServeSeconds: number;
    readonly emptyPeakMiB: number;
  };
  readonly proofs: { readonly inclusionHashes: number; readonly proofFileBytes: number; readonly consistencyHashes: number; readonly consistencyBytes: number };
}

async function measureOpening(): Promise<Opening> {
  const dataDir = join(directory, 'data');
  note(`writing ${EVENTS} events`);
  writeLongLog(dataDir, EVENTS);
  note('opening without kept folds');
  const wholeSeconds = openOnce(dataDir);
  const openSeconds = openOnce(dataDir);
  const served = await serveOnce(directory);
  const empty = await serveOnce(mkdtempSync(join(directory, 'empty-')));
  const fileMiB = Math.round(readFileSize(join(dataDir, 'log.db')) / 2 ** 20);
  return { opening: { events: EVENTS, fileMiB, ...served, openSeconds, wholeSeconds, emptyServeSeconds: empty.serveSeconds, emptyPeakMiB: empty.peakMiB }, proofs: proofSizes(dataDir) };
}

function openOnce(dataDir: string): number {
  const ms = took(() => {
    const opened = openPlane({ dataDir, now: Date.now });
    if (!opened.ok) throw new Error(opened.problem);
    opened.plane.close();
  });
  return round(ms / 1_000);
}

/** A real `portcullis serve`, asked what an operator asks. */
async function serveOnce(folder: string): Promise<{ readonly serveSeconds: number; readonly peakMiB: number }> {
  note('serving');
  const start = performance.now();
  const plane = await startPlane(folder);
  const serveSeconds = round((performance.now() - start) / 1_000);
  try {
    for (const question of [['status'], ['log'], ['log', '--policy', 'p7.yaml'], ['show', '400']]) await plane.operate(...question, '--json');
    const status = readFileSync(`/proc/${plane.running().child.pid ?? 0}/status`, 'utf8');
    return { serveSeconds, peakMiB: Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 'NaN') / 1_024) };
  } finally {
    await plane.stop();
  }
}

function proofSizes(dataDir: string): Opening['proofs'] {
  const parsed = parseSignerKey(readFileSync(join(dataDir, 'keys', 'plane.key'), 'utf8').trim());
  const store = openSqliteReader(join(dataDir, 'log.db'));
  try {
    const head = store.checkpoint();
    const opened = head === undefined || !parsed.ok ? undefined : openCheckpoint(head.note, parsed.signer.verifierKey);
    if (head === undefined || opened?.ok !== true) throw new Error('the log has no head');
    const { size, root } = opened.checkpoint;
    const edge = edgeAt(store, size, encodeHash(root));
    if (edge === undefined) throw new Error('the tiles do not give the root');
    const tiles = edgeTiles(edge, (level, n) => store.tile(level, n));
    const index = Math.floor(size / 3);
    const inclusion = inclusionProof(index, size, tiles);
    const consistency = consistencyProof(Math.floor(size * 0.7), size, tiles);
    if (!inclusion.ok || !consistency.ok) throw new Error('no proof');
    return { inclusionHashes: inclusion.proof.length, proofFileBytes: encodeProofFile({ index, proof: inclusion.proof, checkpoint: head.note }).length, consistencyHashes: consistency.proof.length, consistencyBytes: consistency.proof.length * 32 };
  } finally {
    store.close();
  }
}

interface Verifying {
  readonly verifying: { readonly events: number; readonly exportSeconds: number; readonly verifySeconds: number; readonly verifyDatabaseSeconds: number };
}

/** The real command, from the start of its process to its end. */
async function measureVerifying(): Promise<Verifying> {
  const dataDir = join(directory, 'verified');
  note(`writing, exporting and verifying ${VERIFIED} events`);
  writeLongLog(dataDir, VERIFIED);
  const out = join(directory, 'exported');
  const exportSeconds = await command('log', 'export', '--data', dataDir, '--out', out);
  const kept = join(out, 'checkpoint');
  return { verifying: { events: VERIFIED, exportSeconds, verifySeconds: await command('log', 'verify', out, '--checkpoint', kept), verifyDatabaseSeconds: await command('log', 'verify', '--data', dataDir, '--checkpoint', kept) } };
}

async function command(...args: readonly string[]): Promise<number> {
  const start = performance.now();
  const done = await run(process.execPath, [PORTCULLIS, ...args], { PORTCULLIS_HOME: directory });
  if (done.code !== 0) throw new Error(`portcullis ${args.join(' ')}: ${done.stdout}${done.stderr}`);
  return round((performance.now() - start) / 1_000);
}

function took(act: () => unknown): number {
  const start = performance.now();
  act();
  return performance.now() - start;
}

function readFileSize(path: string): number {
  const db = new Database(path, { readonly: true });
  const bytes = Number(db.pragma('page_count', { simple: true })) * Number(db.pragma('page_size', { simple: true }));
  db.close();
  return bytes;
}

function note(what: string): void {
  if (!JSON_ONLY) console.error(`… ${what}`);
}

function print({ appends, opening, proofs, verifying }: Report): void {
  printTable(['append', 'a second', 'p50 ms', 'p99 ms'], [
    ['plane', String(appends.planePerSecond), round(appends.plane.p50).toFixed(2), round(appends.plane.p99).toFixed(2)],
    [`bare durable insert of the same ${appends.bytes} bytes`, String(appends.barePerSecond), round(appends.bare.p50).toFixed(2), round(appends.bare.p99).toFixed(2)],
  ]);
  console.log(`${appends.ratio} times the bare insert (goal: within ${GOALS.timesBare})\n`);
  printTable(['what', 'measured', 'goal'], [
    [`first answer of serve with ${opening.events} events (${opening.fileMiB} MiB)`, `${opening.serveSeconds} s`, `${GOALS.openSeconds} s`],
    ['  the same with an empty log', `${opening.emptyServeSeconds} s`, ''],
    ['  of it opening the log', `${opening.openSeconds} s`, ''],
    ['  opening without kept folds, everything read', `${opening.wholeSeconds} s`, ''],
    ['memory at its peak while serving it', `${opening.peakMiB} MiB`, `${GOALS.openMiB} MiB`],
    ['  the same with an empty log', `${opening.emptyPeakMiB} MiB`, ''],
    [`log verify of ${verifying.events} exported events`, `${verifying.verifySeconds} s`, `${GOALS.verifySeconds} s`],
    ['  of the data directory', `${verifying.verifyDatabaseSeconds} s`, ''],
    ['  export', `${verifying.exportSeconds} s`, ''],
    [`proof that an event is in the log of ${opening.events}`, `${proofs.inclusionHashes} hashes, ${proofs.proofFileBytes} bytes as a file`, ''],
    ['proof that the log only grew', `${proofs.consistencyHashes} hashes, ${proofs.consistencyBytes} bytes`, ''],
  ]);
}
