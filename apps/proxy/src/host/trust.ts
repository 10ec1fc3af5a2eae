/**
 * `portcullis-proxy trust LOG`: this host's own operator decides that the plane goes on under another log, where nobody can sign with the recovery
 * key any more. The plane is asked at the address that this host joined (TLS, or this machine), and must name that log itself.
 */
import { shape } from '@portcullis/policy-core';
import { readEnrolment, writeEnrolment } from './enrolment.ts';
import { planeUrl } from './plane-url.ts';
import { movedTo } from './succession.ts';

export type TrustOutcome = { readonly ok: true; readonly said: string } | { readonly ok: false; readonly why: 'refused' | 'unreachable'; readonly problem: string };

const ANSWER_MS = 15_000;
/** Two keys and a name. */
const MAX_ANSWER_CHARS = 16 * 1024;

interface Identity {
  readonly log: string;
  readonly publicKey: string;
  readonly recoveryKeySha256: string;
}

const identity = shape.object<Identity>({
  log: shape.text(256),
  publicKey: shape.formed(/^[A-Za-z0-9+/]{43}=$/, 'an Ed25519 public key in base64'),
  recoveryKeySha256: shape.formed(/^[0-9a-f]{64}$/, 'a SHA-256 in hex'),
});

/** Pins what the plane says of itself, if it is that log. Running proxies follow at their next try, within half a minute. */
export async function trustLog({ home, log }: { readonly home: string; readonly log: string }): Promise<TrustOutcome> {
  const found = readEnrolment(home);
  if (found.kind === 'none') return refused('this host is not enrolled, so it trusts no log: join a plane first');
  if (found.kind === 'broken') return refused(found.problem);
  const { enrolment } = found;
  const url = planeUrl(enrolment.url);
  if (!url.ok) return refused(url.problem);
  const asked = await ask(new URL('v1/identity', url.base));
  if (!asked.ok) return asked;
  const read = shape.readJson(identity, asked.text, 'the answer');
  if (!read.ok) return refused(`${url.base.host} does not say who it is: ${read.message}`);
  const { publicKey: planeKey, recoveryKeySha256 } = read.value;
  if (read.value.log !== log) return refused(`the plane at ${url.base.host} speaks for the log ${read.value.log}, not ${log}: nothing was changed`);
  if (enrolment.log === log && enrolment.planeKey === planeKey) return { ok: true, said: `This host trusts ${log} already.` };
  writeEnrolment(home, movedTo(enrolment, { log, planeKey, recoveryKeySha256 }));
  return { ok: true, said: `This host trusts ${log} from now on (before: ${enrolment.log}). What is in force stays in force until the plane has sent its own; running proxies follow within half a minute.` };
}

type Asked = { readonly ok: true; readonly text: string } | Extract<TrustOutcome, { ok: false }>;

async function ask(url: URL): Promise<Asked> {
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(ANSWER_MS) });
    const text = await response.text();
    if (!response.ok || text.length > MAX_ANSWER_CHARS) return refused(`${url.origin} answered ${response.status}, and does not say who it is`);
    return { ok: true, text };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { ok: false, why: 'unreachable', problem: `${url.origin} cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}` };
  }
}

function refused(problem: string): Extract<TrustOutcome, { ok: false }> {
  return { ok: false, why: 'refused', problem };
}
