/** Who a plane says it is, asked at its address. Nothing is proved by that: proxies believe signatures only. */
import { shape } from '@portcullis/policy-core';

export interface PlaneIdentity {
  readonly log: string;
  readonly publicKey: string;
  readonly recoveryKeySha256: string;
}

export type AskedIdentity =
  | {
      readonly ok: true;
      readonly identity: PlaneIdentity;
      /** What its clock said, in milliseconds since 1970, to the second; null where it did not say. */
      readonly planeTimeMs: number | null;
    }
  | { readonly ok: false; readonly why: 'refused' | 'unreachable'; readonly problem: string };

const ANSWER_MS = 15_000;
/** Two keys and a name. */
const MAX_ANSWER_CHARS = 16 * 1024;

const identity = shape.object<PlaneIdentity>({
  log: shape.text(256),
  publicKey: shape.formed(/^[A-Za-z0-9+/]{43}=$/, 'an Ed25519 public key in base64'),
  recoveryKeySha256: shape.formed(/^[0-9a-f]{64}$/, 'a SHA-256 in hex'),
});

/** Asks; never rejects. Redirects are not followed. */
export async function askIdentity(base: URL): Promise<AskedIdentity> {
  try {
    const response = await fetch(new URL('v1/identity', base), { redirect: 'error', signal: AbortSignal.timeout(ANSWER_MS) });
    const text = await response.text();
    if (!response.ok || text.length > MAX_ANSWER_CHARS) return refused(`${base.origin} answered ${response.status}, and does not say who it is`);
    const read = shape.readJson(identity, text, 'the answer');
    if (!read.ok) return refused(`${base.host} does not say who it is: ${read.message}`);
    const at = Date.parse(response.headers.get('date') ?? '');
    return { ok: true, identity: read.value, planeTimeMs: Number.isNaN(at) ? null : at };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { ok: false, why: 'unreachable', problem: `${base.origin} cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}` };
  }
}

function refused(problem: string): AskedIdentity {
  return { ok: false, why: 'refused', problem };
}
