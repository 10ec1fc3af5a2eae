/** What a host trusts after its plane's key was replaced, or after its plane came back from a backup under another log. */
import { followRestorations, followRotations, MAX_RESTORATIONS, MAX_ROTATIONS } from '@portcullis/policy-core';
import type { Read, Restoration, Rotation } from '@portcullis/policy-core';
import type { Enrolment } from './enrolment.ts';

/** With the newest key that these rotations lead to; the same where it is trusted already. Refuses a chain that is not signed. */
export function afterRotations(enrolment: Enrolment, rotations: readonly Rotation[]): Read<Enrolment> {
  const { log, planeKey, formerKeys } = enrolment;
  const passed = followRotations(log, planeKey, rotations);
  if (!passed.ok) return passed;
  const newest = passed.value.at(-1);
  if (newest === undefined) return { ok: true, value: enrolment };
  const before = [planeKey, ...passed.value.slice(0, -1)].reverse();
  return { ok: true, value: { ...enrolment, planeKey: newest, formerKeys: [...before, ...formerKeys].slice(0, MAX_ROTATIONS) } };
}

/** With the log that these restorations lead to. Refuses what the recovery key did not sign. */
export function afterRestorations(enrolment: Enrolment, log: string, restorations: readonly Restoration[]): Read<Enrolment> {
  const way = followRestorations(enrolment, log, restorations);
  if (!way.ok) return way;
  const last = way.value.at(-1) ?? way.value[0];
  return { ok: true, value: movedTo(enrolment, { log, planeKey: last.publicKey, recoveryKeySha256: enrolment.recoveryKeySha256 }) };
}

/** Trusts another log from now on, whoever decided that. */
export function movedTo(enrolment: Enrolment, to: Pick<Enrolment, 'log' | 'planeKey' | 'recoveryKeySha256'>): Enrolment {
  const { log, planeKey, formerKeys, formerLogs } = enrolment;
  const left = { log, keys: [planeKey, ...formerKeys] };
  if (to.log === log) return { ...enrolment, ...to, formerKeys: left.keys.filter((key) => key !== to.planeKey).slice(0, MAX_ROTATIONS) };
  return { ...enrolment, ...to, formerKeys: [], formerLogs: [left, ...formerLogs.filter((former) => former.log !== to.log)].slice(0, MAX_RESTORATIONS) };
}
