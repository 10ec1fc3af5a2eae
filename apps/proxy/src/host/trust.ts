/**
 * `portcullis-proxy trust LOG`: this host's own operator decides that the plane goes on under another log, where nobody can sign with the recovery
 * key any more. The plane is asked at the address that this host joined (TLS, or this machine), and must name that log itself.
 */
import { readEnrolment, writeEnrolment } from './enrolment.ts';
import { askIdentity } from './plane-identity.ts';
import { planeUrl } from './plane-url.ts';
import { movedTo } from './succession.ts';

export type TrustOutcome = { readonly ok: true; readonly said: string } | { readonly ok: false; readonly why: 'refused' | 'unreachable'; readonly problem: string };

/** Pins what the plane says of itself, if it is that log. Running proxies follow at their next try, within half a minute. */
export async function trustLog({ home, log }: { readonly home: string; readonly log: string }): Promise<TrustOutcome> {
  const found = readEnrolment(home);
  if (found.kind === 'none') return refused('this host is not enrolled, so it trusts no log: join a plane first');
  if (found.kind === 'broken') return refused(found.problem);
  const { enrolment } = found;
  const url = planeUrl(enrolment.url);
  if (!url.ok) return refused(url.problem);
  const asked = await askIdentity(url.base);
  if (!asked.ok) return asked;
  const { publicKey: planeKey, recoveryKeySha256 } = asked.identity;
  if (asked.identity.log !== log) return refused(`the plane at ${url.base.host} speaks for the log ${asked.identity.log}, not ${log}: nothing was changed`);
  if (enrolment.log === log && enrolment.planeKey === planeKey) return { ok: true, said: `This host trusts ${log} already.` };
  writeEnrolment(home, movedTo(enrolment, { log, planeKey, recoveryKeySha256 }));
  return { ok: true, said: `This host trusts ${log} from now on (before: ${enrolment.log}). What is in force stays in force until the plane has sent its own; running proxies follow within half a minute.` };
}

function refused(problem: string): Extract<TrustOutcome, { ok: false }> {
  return { ok: false, why: 'refused', problem };
}
