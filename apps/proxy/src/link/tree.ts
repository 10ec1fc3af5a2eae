/**
 * The log's tree on the link: what is shown of it must go on from what this proxy has seen, or nothing more is taken from this plane (L7). What is
 * in force stays in force.
 */
import { linkLimits } from '@portcullis/policy-core';
import type { ShownHead } from '@portcullis/policy-core';
import { continued } from '../guard/witness.ts';
import { say } from './live.ts';
import type { Connection, Live } from './live.ts';

/** Takes a head, and remembers it on disk. `covers`: a version that must be in the tree. False where the connection has been ended. */
export function takeTree(live: Live, connection: Connection, shown: ShownHead, covers: number | null): boolean {
  const { options, witnessed: known } = live;
  if (shown.from !== (known?.size ?? 0)) {
    // It was made for what was known before: nothing is wrong with it, and nothing is shown by it.
    if (connection.phase === 'linked') return true;
    connection.socket.terminate();
    return false;
  }
  const next = continued(known, shown, options.log, options.planeKeys());
  if (!next.ok) {
    if (next.evidence !== null) options.lastGood.keepEvidence(next.evidence, options.clocks().wallMs);
    refuseHistory(live, connection, next.problem);
    return false;
  }
  if (covers !== null && covers >= next.witnessed.size) {
    refuseHistory(live, connection, `the plane speaks of version ${covers}, and shows a log of ${next.witnessed.size} events`);
    return false;
  }
  connection.unshownSince = null;
  if (known?.size === next.witnessed.size) return true;
  live.witnessed = next.witnessed;
  const { size, note } = next.witnessed;
  // Nothing waits for it: until it is stored, a process that starts anew asks for a little less.
  live.remembering = options.lastGood.write({ kind: 'checkpoint', version: size, text: note }).catch((error: unknown) => {
    options.tell(`what was seen of the plane's log could not be stored: ${error instanceof Error ? error.message : String(error)}`);
  });
  return true;
}

/** Whoever came back from a backup, or was altered, is asked again slowly: its operators have to act. */
const AGAIN_MS = [20_000, 30_000] as const;

/** Takes nothing more from this plane for now, and says why on both sides. */
export function refuseHistory(live: Live, connection: Connection, problem: string): void {
  const { tell } = live.options;
  const whole = `${problem}. What was in force stays in force`;
  if (live.state.kind !== 'connecting' || live.state.problem !== whole) tell(whole);
  connection.problem = whole;
  live.backoff.atLeast(AGAIN_MS);
  say(connection, { frame: 'nack', part: 'link', digest: null, kind: 'invalid', problems: [problem.slice(0, linkLimits.MAX_PROBLEM_CHARS)] });
  if (connection.phase === 'linked') live.options.outbox.disconnected();
  connection.phase = 'over';
  connection.unshownSince = null;
  connection.socket.close(1000);
}
