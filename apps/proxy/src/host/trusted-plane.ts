/**
 * Whom this process trusts as its plane, kept with `host.json`, which all processes of the host share: what one of them learned, or what its
 * operator decided with `portcullis-proxy trust`, the others take over.
 */
import { shape, verifierOf } from '@portcullis/policy-core';
import type { Read, Restoration, Rotation, Verify } from '@portcullis/policy-core';
import { readEnrolment, writeEnrolment } from './enrolment.ts';
import type { Enrolment } from './enrolment.ts';
import { afterRestorations, afterRotations } from './succession.ts';

export interface TrustedPlane {
  readonly enrolment: () => Enrolment;
  /** Of the key that was trusted when this was made. */
  readonly verify: Verify;
  readonly successor: (rotations: readonly Rotation[]) => Read<Verify>;
  /** Trusts the newest of these keys from now on, and remembers it. */
  readonly adopt: (rotations: readonly Rotation[]) => void;
  /** The enrolment under another log, if this host may follow its plane there; it is remembered. Null otherwise, and its operator is told what to do. */
  readonly follow: (log: string, restorations: readonly Restoration[]) => Enrolment | null;
}

/** Throws where the enrolment holds no usable key. */
export function trustedPlane(home: string, given: Enrolment, tell: (line: string) => void): TrustedPlane {
  let enrolment = given;
  let refused: string | null = null;
  const verify = verifierOf(given.planeKey);
  if (verify === null) throw new Error('the enrolment holds no usable key');

  const remember = (next: Enrolment): void => {
    enrolment = next;
    try {
      writeEnrolment(home, next);
    } catch (error) {
      tell(`what this host trusts now could not be stored, and is asked for again at the next start: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  /** What the host trusts of this log by now. */
  const shared = (): Enrolment => {
    const found = readEnrolment(home);
    return found.kind === 'enrolled' && found.enrolment.log === enrolment.log ? found.enrolment : enrolment;
  };
  return {
    enrolment: () => enrolment,
    verify,
    successor(rotations) {
      const after = afterRotations(enrolment, rotations);
      if (!after.ok) return after;
      const next = verifierOf(after.value.planeKey);
      return next === null ? shape.invalid('rotations', 'the last of them is no key') : { ok: true, value: next };
    },
    adopt(rotations) {
      const own = afterRotations(enrolment, rotations);
      if (!own.ok || own.value === enrolment) return;
      const known = shared();
      const after = afterRotations(known, rotations);
      // What another process has stored already is not stored again.
      if (after.ok && after.value === known && known.planeKey === own.value.planeKey) enrolment = known;
      else remember(after.ok && after.value.planeKey === own.value.planeKey ? after.value : own.value);
      tell('the plane signs with a new key, which the old one vouches for');
    },
    follow(log, restorations) {
      const found = readEnrolment(home);
      if (found.kind === 'enrolled' && found.enrolment.log === log) {
        tell(`this host trusts the plane's log ${log} now`);
        return found.enrolment;
      }
      const after = afterRestorations(enrolment, log, restorations);
      if (after.ok) {
        remember(after.value);
        tell(`the plane came back from a backup, and goes on as log ${log}: the recovery key says so`);
        return after.value;
      }
      const why = `the plane speaks for the log ${log}, and this host trusts ${enrolment.log}: ${after.message}. What was in force stays in force. If this is right, run: portcullis-proxy trust ${log}`;
      if (refused !== why) tell(why);
      refused = why;
      return null;
    },
  };
}
