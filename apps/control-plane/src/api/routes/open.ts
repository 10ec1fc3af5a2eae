/** What answers without an operator token: liveness, readiness, whose plane this is, and hosts that join with a token of their own. */
import { IDENTITY_NONCE } from '@portcullis/policy-core';
import type { Context } from 'hono';
import { answer, refusal, refuse } from '../answer.ts';
import type { Api, ApiParts, Bindings, Variables } from '../parts.ts';
import { createThrottle } from '../throttle.ts';

/** The watcher scans every 2 s; several missed scans in a row mean that it is dead, whatever it says. */
const WATCHER_SILENCE_MS = 15_000;
/** A rack of machines may join at once from behind one address; guessing 256 bits at this rate is hopeless. */
const JOIN_BURST = 30;
const JOIN_REFILL_MS = 1_000;

export function addOpen(api: Api, parts: ApiParts): void {
  api.get('/healthz', () => answer({ ok: true }));
  api.get('/readyz', () => {
    const why = unready(parts);
    return why === null ? answer({ ready: true }) : refuse('unavailable', why);
  });
  // What every signed head and every challenge of the link say anyway: hosts whose operator decides to trust this log pin it. With a nonce,
  // signed: commands of this machine ask so before they send a token to whatever listens where a plane was announced.
  api.get('/v1/identity', (c) => {
    const nonce = c.req.query('nonce');
    if (nonce !== undefined) return IDENTITY_NONCE.test(nonce) ? answer(parts.identify(nonce)) : refuse('invalid', 'The nonce is 32 random bytes in base64url.');
    const { log, publicKey, recoveryKeySha256 } = parts.plane.state();
    return answer({ log, publicKey, recoveryKeySha256 });
  });
  const throttle = createThrottle(JOIN_BURST, JOIN_REFILL_MS);
  api.post('/v1/join', async (c) => {
    if (!throttle.admit(callerOf(c), parts.now())) return refuse('too-many', 'Too many attempts to join from this address. Wait a little.', 5);
    const body: unknown = await c.req.json().catch(() => undefined);
    if (body === undefined) return refuse('invalid', 'Joining takes a JSON body; `portcullis-proxy join` sends it.');
    const joined = parts.join(body);
    return joined.ok ? answer(joined.body) : refusal(joined.refusal);
  });
}

/** Why a change of the files would not take effect now; null where it would. */
function unready({ watch, now }: ApiParts): string | null {
  const status = watch();
  switch (status.state) {
    case 'starting':
      return 'The policy directory has not been read yet.';
    case 'failed':
      return `The policy directory cannot be watched: ${status.problem?.message ?? 'no reason known'}`;
    case 'watching': {
      const silentMs = now() - (status.lastScanAt ?? status.since);
      return silentMs > WATCHER_SILENCE_MS ? `The watcher has not looked for ${Math.round(silentMs / 1000)} s.` : null;
    }
    default:
      return status.state satisfies never;
  }
}

function callerOf(c: Context<{ Variables: Variables; Bindings: Bindings }>): string {
  // A test calls the app without a server behind it; then there is no environment at all.
  const { incoming } = (c.env as Bindings | undefined) ?? {};
  return incoming?.socket?.remoteAddress ?? 'unknown';
}
