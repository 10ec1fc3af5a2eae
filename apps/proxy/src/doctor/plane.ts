/** Whether the plane of this host answers, is the one that it trusts, and agrees about the time. */
import { askIdentity } from '../host/plane-identity.ts';
import { planeUrl } from '../host/plane-url.ts';
import type { Enrolment } from '../host/enrolment.ts';
import { ok, warning, wrong } from './finding.ts';
import type { Finding } from './finding.ts';

/** More than any honest clock is off; windows of limits and `time` conditions begin and end by the clock of the host. */
const CLOCK_OFF_MS = 30_000;

/** Asks the plane; takes at most a quarter of a minute. */
export async function examinePlane(enrolment: Enrolment, now: () => number): Promise<readonly Finding[]> {
  const url = planeUrl(enrolment.url);
  if (!url.ok) return [wrong('plane', `the enrolment names no plane: ${url.problem}`)];
  const askedAt = now();
  const asked = await askIdentity(url.base);
  if (!asked.ok) {
    const certificate = /certificate|self.signed|CERT/i.test(asked.problem) ? '. If its certificate is a private one, name it in NODE_EXTRA_CA_CERTS' : '';
    return [wrong('plane', `${asked.problem}: what was in force last stays in force, and nothing new arrives${certificate}`)];
  }
  const { identity, planeTimeMs } = asked;
  return [sameLog(enrolment, identity), ...(planeTimeMs === null ? [] : [sameTime((askedAt + now()) / 2, planeTimeMs)])];
}

function sameLog({ url, log, planeKey }: Enrolment, plane: { readonly log: string; readonly publicKey: string }): Finding {
  if (plane.log !== log) return wrong('plane', `the plane at ${url} speaks for the log ${plane.log}, and this host trusts ${log}: if it is to follow it there, run portcullis-proxy trust ${plane.log}`);
  if (plane.publicKey !== planeKey) return warning('plane', `the plane at ${url} signs with another key than this host knows: proxies take it over when the old key vouches for it, and refuse it otherwise (see the link in \`status\`)`);
  return ok('plane', `${url} answers for the log ${log}`);
}

function sameTime(hereMs: number, planeMs: number): Finding {
  // A header's time is cut off to the second.
  const offMs = hereMs - planeMs - 500;
  const seconds = Math.round(Math.abs(offMs) / 1000);
  if (Math.abs(offMs) <= CLOCK_OFF_MS) return ok('clock', 'this host and the plane agree about the time');
  return warning('clock', `this host's clock is ${seconds} s ${offMs > 0 ? 'ahead of' : 'behind'} the plane's: limits by hour and day and conditions on the time go by it. Let it be set by NTP`);
}
