/**
 * A plane that came back from a backup goes on under another log: proxies may have seen versions that this log never gets again, and refuse
 * them (W3). The log is checked as at every start, its last event names the new one, and hosts follow on the recovery key's word. Needs a
 * plane that does not run.
 */
import { randomBytes as systemRandom } from 'node:crypto';
import { existsSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { keySha256, restorationStatement, signHeader } from '@portcullis/policy-core';
import { emptyEdge, encodeVerifierKey, verifierKey } from '@portcullis/tlog';
import type { Signer, VerifierKey } from '@portcullis/tlog';
import type { Command, Meta } from './domain/command.ts';
import { restoreLog } from './domain/commands/identity.ts';
import { fold, NOTHING } from './domain/fold.ts';
import type { PlaneState } from './domain/state.ts';
import { eventId } from './event-id.ts';
import { DamagedLog } from './log/codec.ts';
import { publicKeyText, writeNext } from './log/keyring.ts';
import { makeKeyFolder, makeOrigin, makeRecoveryKey, nextKeyPath, planeKeyPath, readSigner, recoveryKeyPath } from './log/keys.ts';
import { lockDataDirectory } from './log/lock.ts';
import { openLog, readEvents } from './log/log.ts';
import { openSqliteStore } from './log/sqlite-store.ts';
import type { LogStore } from './log/store.ts';

export interface RestoreOptions {
  readonly dataDir: string;
  /** The recovery key's file; null where it was lost, then each host has to be told. */
  readonly recoveryKey: string | null;
  readonly reason: string;
  readonly nowMs: number;
  readonly random?: (bytes: number) => Uint8Array;
}

export type RestoredLog =
  | {
      readonly ok: true;
      readonly log: string;
      readonly previousLog: string;
      /** The events that were kept. */
      readonly previousSize: number;
      /** The new verifier key, to be written down elsewhere. */
      readonly verifierKey: string;
      /** Whether hosts follow by themselves. */
      readonly signed: boolean;
      /** Set where a new recovery key had to be made. */
      readonly recoveryKeyPath: string | null;
    }
  | { readonly ok: false; readonly problem: string };

/** Begins the new log. What is refused changes nothing; a run that was cut short is finished by the next start of the plane. */
export function restoreDataDirectory(options: RestoreOptions): RestoredLog {
  const dataDir = resolve(options.dataDir);
  if (!existsSync(join(dataDir, 'log.db'))) return no(`There is no log at ${join(dataDir, 'log.db')}. Name the plane's data directory with --data.`);
  const locked = lockDataDirectory(dataDir);
  if (!locked.ok) return locked;
  const store = openSqliteStore(join(dataDir, 'log.db'));
  try {
    return restore(store, { ...options, dataDir });
  } catch (error) {
    return no(`${join(dataDir, 'log.db')}: ${error instanceof Error ? error.message : String(error)}. Nothing was changed${error instanceof DamagedLog ? '; take another backup' : ''}.`);
  } finally {
    store.close();
    locked.release();
  }
}

function restore(store: LogStore, { dataDir, recoveryKey, reason, nowMs, random = systemRandom }: RestoreOptions): RestoredLog {
  const state = fold(NOTHING, readEvents(store, emptyEdge(), Number.MAX_SAFE_INTEGER));
  if (state.log === '') return no('The log is empty: start the plane, and it begins a new one.');
  const recovery = findRecoveryKey(state, dataDir, recoveryKey);
  if (!recovery.ok) return recovery;
  const signers: Signer[] = [];
  const opened = openLog(store, { signers: () => signers, verifiers: () => [keyOf(state)] }, random);
  // A second time, and now held against the newest signed head, before anything is made.
  for (const _event of opened.events);
  const log = makeOrigin(random);
  makeKeyFolder(dataDir);
  if (recovery.signer === null) makeRecoveryKey(dataDir, log, random);
  const next = writeNext(dataDir, log, random);
  signers.push(next);
  const command = commandFor(state, next, recovery.signer, recovery.signer === null ? newRecoveryKey(dataDir) : state.recoveryKeySha256);
  const meta: Meta = { nowMs, actor: { kind: 'plane', id: 'plane' }, auth: { method: 'local', ref: null }, reason, idem: null, cause: null };
  const decided = restoreLog(state, command, meta);
  if (!decided.ok) return no(decided.refusal.message);
  const { actor, auth } = meta;
  opened.log.append(
    decided.events.map(({ event }, n) => ({ id: eventId(nowMs, random(10)), atMs: nowMs, actor, auth, reason, idem: null, commandSha256: null, cause: null, event, n })),
    [],
  );
  renameSync(nextKeyPath(dataDir), planeKeyPath(dataDir));
  return {
    ok: true,
    log,
    previousLog: state.log,
    previousSize: state.size,
    verifierKey: encodeVerifierKey(next.verifierKey),
    signed: recovery.signer !== null,
    recoveryKeyPath: recovery.signer === null ? recoveryKeyPath(dataDir) : null,
  };
}

/** The signer of the statement; null where there is none any more. */
function findRecoveryKey({ log, recoveryKeySha256 }: PlaneState, dataDir: string, given: string | null): { readonly ok: true; readonly signer: Signer | null } | { readonly ok: false; readonly problem: string } {
  const fits = (signer: Signer): boolean => keySha256(publicKeyText(signer.verifierKey)) === recoveryKeySha256;
  if (given === null) {
    const kept = existsSync(recoveryKeyPath(dataDir)) ? readSigner(recoveryKeyPath(dataDir)) : null;
    if (kept?.ok === true && fits(kept.signer)) return no(`The recovery key is there: give --recovery-key ${recoveryKeyPath(dataDir)}, and hosts follow by themselves.`);
    return { ok: true, signer: null };
  }
  const read = readSigner(given);
  if (!read.ok) return read;
  return fits(read.signer) ? read : no(`${given} is not the recovery key of ${log}: hosts would not follow. Bring the right one, or give --without-recovery-key and tell each host.`);
}

type Restore = Extract<Command, { kind: 'restore-log' }>;

function commandFor(state: PlaneState, next: Signer, recovery: Signer | null, recoveryKeySha256: string): Restore {
  const facts = { log: next.verifierKey.name, publicKey: publicKeyText(next.verifierKey) };
  const statement = restorationStatement({ ...facts, previousLog: state.log, previousSize: state.size });
  const signed = recovery === null ? null : { recoveryKey: publicKeyText(recovery.verifierKey), signature: signHeader(recovery.sign, 'restored', statement) };
  return { kind: 'restore-log', ...facts, recoveryKeySha256, statement: signed };
}

function newRecoveryKey(dataDir: string): string {
  const made = readSigner(recoveryKeyPath(dataDir));
  if (!made.ok) throw new Error(made.problem);
  return keySha256(publicKeyText(made.signer.verifierKey));
}

/** The key that the log itself names: the file with it may be what was lost. */
function keyOf({ log, publicKey }: PlaneState): VerifierKey {
  return verifierKey(log, Buffer.from(publicKey, 'base64'));
}

function no(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}
