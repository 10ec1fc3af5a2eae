/**
 * What a client of the revisions up to 2025-11-25 keeps of its session with a Streamable HTTP upstream: the session id, the agreed
 * revision, the stream on which the upstream speaks on its own account, and how a session that the upstream has forgotten is begun
 * anew without the agent noticing.
 */
import type { IncomingMessage } from 'node:http';
import type { Remote } from '../upstream/remote.ts';
import { bodyKind, readWhole } from './answer.ts';

export interface UpstreamSession {
  /** The headers that requests of this session carry. */
  headers(revision: string | null): Record<string, string>;
  readonly id: () => string | null;
  /** What begins the session is remembered, to begin it again. */
  remember(part: 'initialize' | 'initialized', body: Buffer): void;
  /** The answer to initialize has come. */
  begun(answer: IncomingMessage): void;
  /** The upstream does not know the session any more: begins another one. False where that does not work. */
  renew(forgotten: string): Promise<boolean>;
  /** Opens the upstream's own stream and keeps it open, handing each answer to `read`, until `stop`. */
  listen(read: (answer: IncomingMessage) => Promise<StreamEnd>): void;
  /** One answer to GET, from behind an event on; null where the upstream gives none. */
  resume(lastEventId: string | null): Promise<IncomingMessage | null>;
  /** Ends the session at the upstream, in at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** How a stream of events ended, and where to go on. */
export interface StreamEnd {
  readonly lastEventId: string | null;
  readonly retryMs: number | null;
}

/** The upstream may say otherwise with `retry:`. */
const RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
const SHORTEST_RETRY_MS = 10;
/** Answers to our own initialize are small. */
const MAX_OWN_ANSWER_BYTES = 4 * 1024 * 1024;
const MAX_SESSION_ID_CHARACTERS = 4096;

export const POST_HEADERS = { 'content-type': 'application/json', 'accept': 'application/json, text/event-stream', 'accept-encoding': 'identity' } as const;
const STREAM_HEADERS = { 'accept': 'text/event-stream', 'accept-encoding': 'identity' } as const;

export function createUpstreamSession(remote: Remote, revision: () => string | null): UpstreamSession {
  let sessionId: string | null = null;
  const parts = new Map<'initialize' | 'initialized', Buffer>();
  let renewing: Promise<boolean> | null = null;
  const pace: Pace = { stopped: false, wake: () => undefined };
  let listening = false;

  const headers = (agreed: string | null): Record<string, string> => ({
    ...(sessionId === null ? {} : { 'mcp-session-id': sessionId }),
    ...(agreed === null ? {} : { 'mcp-protocol-version': agreed }),
  });

  function begun(answer: IncomingMessage): void {
    const given = answer.headers['mcp-session-id'];
    sessionId = typeof given === 'string' && given !== '' && given.length <= MAX_SESSION_ID_CHARACTERS ? given : null;
  }

  async function beginAgain(): Promise<boolean> {
    const initialize = parts.get('initialize');
    if (initialize === undefined) return false;
    const first = await remote.send({ method: 'POST', headers: POST_HEADERS, body: initialize }).answer;
    if (!first.ok) return false;
    begun(first.message);
    const fine = first.status >= 200 && first.status < 300 && (await settled(first.message));
    const initialized = parts.get('initialized');
    if (!fine || initialized === undefined) return fine;
    const second = await remote.send({ method: 'POST', headers: { ...POST_HEADERS, ...headers(revision()) }, body: initialized }).answer;
    if (second.ok) second.message.resume();
    return second.ok && second.status >= 200 && second.status < 300;
  }

  async function resume(lastEventId: string | null): Promise<IncomingMessage | null> {
    const more = lastEventId === null ? {} : { 'last-event-id': lastEventId };
    const answer = await remote.send({ method: 'GET', headers: { ...STREAM_HEADERS, ...headers(revision()), ...more } }).answer;
    if (!answer.ok) return null;
    if (answer.status === 200 && bodyKind(answer.message) === 'events') return answer.message;
    answer.message.destroy();
    return null;
  }

  return {
    headers,
    id: () => sessionId,
    remember: (part, body) => void parts.set(part, body),
    begun,
    renew(forgotten) {
      if (renewing === null && sessionId !== forgotten) return Promise.resolve(true);
      renewing ??= beginAgain().finally(() => (renewing = null));
      return renewing;
    },
    listen(read) {
      if (listening) return;
      listening = true;
      void keepListening(pace, resume, () => sessionId, read).finally(() => (listening = false));
    },
    resume,
    async stop(graceMs) {
      pace.stopped = true;
      pace.wake();
      if (sessionId === null) return;
      const farewell = remote.send({ method: 'DELETE', headers: headers(revision()) });
      const timer = setTimeout(farewell.abort, graceMs);
      const answer = await farewell.answer;
      clearTimeout(timer);
      if (answer.ok) answer.message.destroy();
    },
  };
}

/** Until `pace.stopped`, or for no time at all where the upstream has no such stream. */
async function keepListening(pace: Pace, resume: UpstreamSession['resume'], sessionId: () => string | null, read: (answer: IncomingMessage) => Promise<StreamEnd>): Promise<void> {
  let last: string | null = null;
  let failures = 0;
  while (!pace.stopped) {
    const before = sessionId();
    const answer = await resume(last);
    if (answer === null && failures === 0 && last === null) return;
    const end: StreamEnd | null = answer === null ? null : await read(answer);
    failures = end === null ? failures + 1 : 0;
    // Event ids belong to a session.
    last = before === sessionId() ? (end?.lastEventId ?? last) : null;
    const wait = Math.min(LONGEST_RETRY_MS, Math.max(SHORTEST_RETRY_MS, end?.retryMs ?? RETRY_MS) * 2 ** failures);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait);
      pace.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Lets the one who waits be woken. */
interface Pace {
  stopped: boolean;
  wake: () => void;
}

/** Whether the answer to our own initialize says that the session stands. */
async function settled(answer: IncomingMessage): Promise<boolean> {
  const body = await readWhole(answer, MAX_OWN_ANSWER_BYTES);
  return body !== null && !/^[^{]*\{[^{}]*"error"\s*:/.test(body.toString('utf8', 0, 4096));
}
