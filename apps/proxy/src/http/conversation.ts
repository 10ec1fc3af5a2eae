/**
 * A relay session over HTTP: each line to the agent goes out in the response that it belongs to. What is said while a message is
 * handled belongs to the response of that message; what is said at any other time (a policy swap changed a list) to the stream that
 * the agent keeps open for it.
 */
import type { Gate } from '../relay/gate.ts';
import type { RelayLimits } from '../relay/limits.ts';
import type { Message } from '../relay/message.ts';
import { createSession } from '../relay/session.ts';
import type { Session } from '../relay/session.ts';
import type { Known, Vet } from '../relay/state.ts';
import type { Reply } from './reply.ts';

export interface Outgoing {
  readonly line: Buffer;
  readonly messages: readonly Message[];
}

export interface Heard {
  /** What goes on to the upstream, with the bytes of the agent; null where nothing does. */
  readonly forward: Outgoing | null;
  /** What the relay itself tells the upstream. */
  readonly own: readonly Outgoing[];
}

export interface Conversation {
  readonly session: Session;
  /** A line from the agent. What is said to it meanwhile goes to `reply`. */
  fromAgent(line: Buffer, reply: Reply, vet: Vet): Heard;
  /**
   * A line from the upstream, in the answer that `reply` passes on; null where lines come by themselves, and each goes to the
   * response that `route` names. Returns what the relay tells the upstream.
   */
  fromUpstream(line: Buffer, reply: Reply | null, fields?: string): readonly Outgoing[];
  /** The same for a line above the cap, of which only the ends are there. */
  tooLong(ends: { readonly head: Buffer; readonly tail: Buffer }, reply: Reply | null): void;
  /** The same for what must be said of one of the agent's requests. */
  during(reply: Reply, act: (session: Session) => void): void;
  /** The response in which the relay may speak on its own account. */
  setOwn(reply: Reply | null): void;
  readonly own: () => Reply | null;
  close(): void;
}

export function createConversation(gate: Gate, limits: RelayLimits, known: Known = {}, route?: (messages: readonly Message[]) => Pick<Reply, 'say'> | null): Conversation {
  let current: { readonly reply: Reply; readonly fields: string } | null = null;
  let own: Reply | null = null;
  let vet: Vet = () => null;
  let forward: Outgoing | null = null;
  let ours: Outgoing[] = [];
  const session = createSession(
    gate,
    limits,
    {
      toClient(bytes, messages) {
        if (current === null) (route === undefined ? own : route(messages))?.say(bytes, messages);
        // The event's own lines are for what the upstream said in it.
        else current.reply.say(bytes, messages, typeof bytes === 'string' ? '' : current.fields);
      },
      toServer(bytes, messages) {
        if (typeof bytes === 'string') ours.push({ line: Buffer.from(bytes), messages });
        else forward = { line: bytes, messages };
      },
    },
    { ...known, vet: (message) => vet(message) },
  );

  function within(reply: Reply | null, fields: string, act: () => void): readonly Outgoing[] {
    current = reply === null ? null : { reply, fields };
    ours = [];
    try {
      act();
    } finally {
      current = null;
    }
    return ours;
  }

  return {
    session,
    fromAgent(line, reply, against) {
      forward = null;
      vet = against;
      const said = within(reply, '', () => session.client.line(line));
      return { forward, own: said };
    },
    fromUpstream: (line, reply, fields = '') => within(reply, fields, () => session.server.line(line)),
    tooLong: (ends, reply) => void within(reply, '', () => session.server.tooLong(ends)),
    during: (reply, act) => void within(reply, '', () => act(session)),
    setOwn: (reply) => (own = reply),
    own: () => own,
    close: session.close,
  };
}
