/**
 * An exported log, verified by a program of the Go team's packages (Debian: golang-go, golang-golang-x-mod-dev). It must accept the log as it
 * was recorded and refuse each alteration; with seeded ones, it must agree with `portcullis log verify` on all.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstSeed, random } from '../domain/random.ts';
import { cut, recordLog, rewrite } from '../tamper/recorded.ts';
import type { RecordedLog } from '../tamper/recorded.ts';
import { PORTCULLIS, run } from '../world/process.ts';

/** Where Debian puts the sources of golang.org/x/mod. */
export const GO_MOD_SOURCES = '/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog';
const ALTERED_BYTES = 200;

export async function logByGo(): Promise<string> {
  const log = recordLog();
  try {
    const audit = join(log.folder, 'audit');
    execFileSync('go', ['build', '-o', audit, join(import.meta.dirname, 'audit.go')], { env: { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(log.folder, 'go-cache') } });
    return await auditAll(log, (directory, ...earlier) => spawnSync(audit, [directory, keyOf(log), ...earlier], { encoding: 'utf8' }).status === 0);
  } finally {
    rmSync(log.folder, { recursive: true, force: true });
  }
}

type Audit = (directory: string, ...earlier: readonly string[]) => boolean;

async function auditAll(log: RecordedLog, audit: Audit): Promise<string> {
  const honest = await exported(log, log.dataDir, 'honest');
  if (!audit(honest) || !audit(honest, log.early) || !audit(honest, log.late)) throw new Error('the log as it was recorded is refused');

  const shortened = log.copy();
  cut(shortened, log.earlySize);
  const cutOff = await exported(log, shortened, 'cut');
  if (!audit(cutOff, log.early)) throw new Error('an honest beginning is refused');
  if (audit(cutOff, log.late)) throw new Error('a cut is accepted against a later checkpoint');

  const forged = join(log.folder, 'forged');
  rewrite(log.dataDir, forged, log.size + 50);
  const rewritten = await exported(log, forged, 'rewritten');
  if (!audit(rewritten)) throw new Error('what the stolen key signed does not verify by itself: the test is wrong');
  if (audit(rewritten, log.early)) throw new Error('a rewritten history is accepted against an earlier checkpoint');

  // The payloads are not under the tree but bound by hash: sha256sum checks them.
  const files = readdirSync(honest, { recursive: true, withFileTypes: true }).map((one) => ({ one, path: join(one.parentPath, one.name) }))
    .filter(({ one, path }) => one.isFile() && (path.startsWith(join(honest, 'tile')) || path === join(honest, 'checkpoint')));
  const seed = firstSeed();
  const dice = random(seed);
  for (let round = 0; round < ALTERED_BYTES; round++) {
    const { path } = dice.pick(files);
    const before = readFileSync(path);
    const after = Buffer.from(before);
    const at = dice.int(after.length);
    after[at] = (after[at] ?? 0) ^ (1 << dice.int(8));
    writeFileSync(path, after);
    if (audit(honest)) throw new Error(`seed ${seed}, round ${round}: byte ${at} of ${path} was altered and nobody minds`);
    writeFileSync(path, before);
  }
  if (!audit(honest)) throw new Error('the log is not what it was before');
  return `${log.size} entries accepted, against both kept checkpoints; a cut, a rewritten history and ${ALTERED_BYTES} altered bytes refused; seed ${seed}`;
}

async function exported(log: RecordedLog, dataDir: string, name: string): Promise<string> {
  const out = join(log.folder, `exported-${name}`);
  const done = await run(process.execPath, [PORTCULLIS, 'log', 'export', '--data', dataDir, '--out', out], { PORTCULLIS_HOME: log.folder });
  if (done.code !== 0) throw new Error(done.stderr);
  return out;
}

/** As the page of the export states it. */
function keyOf(log: RecordedLog): string {
  return /^ {4}(portcullis\.local\S+)$/m.exec(readFileSync(join(log.folder, 'exported-honest', 'AUDIT.md'), 'utf8'))?.[1] ?? '';
}
