/** What a proxy does with each frame of the plane. Adoption is in the order of W9: verify, compile, persist, swap, acknowledge. */
import { canonicalJson, linkLimits, readDown, signedFrame, signHeader } from '@portcullis/policy-core';
import type { DownFrame, HelloHeader, Rotation, UpFrame } from '@portcullis/policy-core';
import { anchored, isAhead, leaseAgeMs, leased, ticked } from '../guard/freshness.ts';
import { adopt, coherentVersion, held, welcomed } from '../guard/guard.ts';
import type { Effective, GuardState, PolicyFrame } from '../guard/guard.ts';
import { blame } from './blame.ts';
import { inForce, noteHeld, noteState, report, say, sayHeld } from './live.ts';
import type { Connection, Live } from './live.ts';
import { takeTree } from './tree.ts';

/** Reads, verifies and obeys one frame; resolves when that is done. */
export async function take(live: Live, connection: Connection, text: string): Promise<void> {
  const { options } = live;
  const read = readDown(text, live.verify, options.trust?.successor);
  if (!read.ok) {
    const { nack, evidence } = blame(text, read);
    if (evidence !== null) options.lastGood.keepEvidence(evidence, options.clocks().wallMs);
    options.tell(`refused a frame of the plane: ${read.message}`);
    connection.problem = `what answers there is not the plane this host trusts, or not of a version it knows (${brief(read.message)})`;
    // Before the welcome there is nobody to whom anything can be said.
    return connection.phase === 'linked' ? say(connection, nack) : connection.socket.terminate();
  }
  const frame = read.value;
  switch (frame.frame) {
    case 'challenge':
      return connection.phase === 'challenge' ? challenged(live, connection, frame) : connection.socket.terminate();
    case 'welcome':
      return connection.phase === 'challenge' ? connection.socket.terminate() : greeted(live, connection, frame);
    case 'snapshot':
    case 'restrict':
    case 'advance':
      return connection.phase === 'linked' ? enforce(live, connection, frame, text) : connection.socket.terminate();
    case 'heartbeat':
      return lease(live, connection, frame.signed);
    case 'checkpoint':
      return connection.phase === 'linked' ? void takeTree(live, connection, frame, null) : connection.socket.terminate();
    case 'decisions-ack':
      return options.outbox.acknowledged(frame.boot, frame.n);
    case 'goodbye':
      live.backoff.atLeast(frame.retryAfterMs);
      return connection.socket.close(1000);
  }
}

/** W3: a plane that speaks for another log is followed there only on the word of the recovery key, or of this host's own operator. */
function challenged(live: Live, connection: Connection, challenge: Extract<DownFrame, { frame: 'challenge' }>): void {
  const { log, trust } = live.options;
  if (challenge.log !== log) connection.planeLog = PRINTABLE.test(challenge.log) ? challenge.log : null;
  if (challenge.log !== log && trust?.stray(challenge.log, challenge.restorations ?? []) === true) return connection.socket.terminate();
  // Another log's plane is told who we are all the same, so that its operators see a host that refuses it.
  hello(live, connection, challenge);
}

/** W1: who we are, proved over the plane's nonce, with a nonce of our own that the welcome must repeat. */
function hello(live: Live, connection: Connection, challenge: Extract<DownFrame, { frame: 'challenge' }>): void {
  const { options } = live;
  const { policies, restrictions, pending } = held(live.guard);
  const header = canonicalJson({
    protocol: linkLimits.LINK_PROTOCOL,
    log: options.log,
    host: options.host,
    server: options.server,
    upstream: options.upstream.slice(0, linkLimits.MAX_UPSTREAM_CHARS),
    boot: options.boot,
    nonce: challenge.nonce,
    answer: connection.answer,
    counter: options.drawCounter(),
    build: options.build,
    features: options.features ?? [],
    policies,
    restrictions,
    pending,
    checkpoint: live.witnessed === null ? null : { size: live.witnessed.size, root: live.witnessed.root },
  } satisfies HelloHeader);
  connection.phase = 'welcome';
  connection.asked = options.clocks();
  connection.socket.send(signedFrame('hello', header, signHeader(options.sign, 'connect', header)));
}

function greeted(live: Live, connection: Connection, { signed, rotations, shown }: Extract<DownFrame, { frame: 'welcome' }>): void {
  const { options } = live;
  const ours = signed.log === options.log && signed.host === options.host && signed.server === options.server && signed.boot === options.boot && signed.nonce === connection.answer;
  if (!ours) {
    connection.problem = 'the plane answered with a welcome that was made for another connection';
    options.tell(connection.problem);
    return connection.socket.terminate();
  }
  if (rotations.length > 0) adoptKey(live, rotations);
  if (!takeTree(live, connection, shown, signed.version)) return;
  live.guard = welcomed(live.guard, signed);
  // A second welcome on one connection brings other labels; the first one gave the time.
  if (connection.phase === 'linked') return;
  connection.phase = 'linked';
  noteState(live, { kind: 'connected', sinceMs: options.clocks().wallMs });
  live.freshness = anchored(live.freshness, signed, connection.asked);
  noteHeld(live);
  options.outbox.connected((rows) => say(connection, { frame: 'decisions', rows }));
}

function adoptKey(live: Live, rotations: readonly Rotation[]): void {
  const { trust } = live.options;
  const successor = trust?.successor(rotations);
  if (trust === undefined || successor?.ok !== true) return;
  trust.adopt(rotations);
  live.verify = successor.value;
}

/** W9: verified already; compiled, stored, swapped in, acknowledged. */
async function enforce(live: Live, connection: Connection, frame: PolicyFrame, text: string): Promise<void> {
  const { gate, lastGood, tell, clocks } = live.options;
  const adopted = adopt(live.guard, frame, text);
  if (!adopted.ok) {
    if (adopted.evidence !== null) lastGood.keepEvidence(adopted.evidence, clocks().wallMs);
    if (adopted.kind !== 'transient') tell(`refused ${frame.frame}@${frame.signed.version}: ${adopted.problem}`);
    return say(connection, { frame: 'nack', part: adopted.part, digest: adopted.digest, kind: adopted.kind, problems: [brief(adopted.problem)] });
  }
  const { state, persist } = adopted;
  const next = inForce(live.options, state);
  try {
    const prepared = next === null ? null : await gate.prepare(next);
    if (persist !== null) await lastGood.write(persist);
    live.guard = state;
    prepared?.swap();
  } catch (error) {
    if (frame.frame === 'restrict') await tighten(live, state);
    return say(connection, notEnforced(frame, error));
  }
  noteHeld(live);
  say(connection, { frame: 'ack', ...report(live) });
}

/** What could not be stored is not acknowledged; but a restriction that is known is obeyed as long as this process lives. */
async function tighten(live: Live, refused: GuardState): Promise<void> {
  const now = inForce(live.options, live.guard);
  const next = inForce(live.options, refused);
  if (now === null || next === null) return;
  const both: Effective = { ...now, restrictions: [...now.restrictions, ...next.restrictions] };
  try {
    (await live.options.gate.prepare(both)).swap();
  } catch (error) {
    live.options.tell(`a restriction could not be put in force: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A disk may have room again; a set that does not compile will not compile tomorrow. */
function notEnforced(frame: PolicyFrame, error: unknown): Extract<UpFrame, { frame: 'nack' }> {
  const onDisk = typeof (error as NodeJS.ErrnoException).code === 'string';
  const problem = error instanceof Error ? error.message : String(error);
  return {
    frame: 'nack',
    part: frame.frame === 'restrict' ? 'restrictions' : 'policies',
    digest: frame.frame === 'advance' ? null : frame.signed.digest,
    kind: onDisk ? 'transient' : 'invalid',
    problems: [brief(onDisk ? `cannot be stored: ${problem}` : `cannot be enforced: ${problem}`)],
  };
}

function lease(live: Live, connection: Connection, signed: { readonly log: string; readonly version: number; readonly time: number }): void {
  if (connection.phase !== 'linked' || signed.log !== live.options.log) return;
  const now = live.options.clocks();
  const ahead = isAhead(live.freshness, signed, now);
  live.freshness = ticked(leased(live.freshness, signed, now), now);
  noteHeld(live);
  connection.heard = signed.time;
  if (signed.version >= (live.witnessed?.size ?? 0)) connection.unshownSince ??= now.monoMs;
  // Frames come one after the other: what would have brought this head is not on its way any more, unless it is still to be sent (W7).
  if (signed.version > (coherentVersion(live.guard) ?? -1)) sayHeld(live, connection);
  if (ahead || leaseAgeMs(live.freshness, now) > linkLimits.FRESH_MS) {
    live.options.tell('a clock moved, here or on the plane: connecting again to learn the time');
    connection.socket.terminate();
  }
}

/** Whoever answers may claim any name, and this one is shown. */
const PRINTABLE = /^[\x21-\x7e]{1,256}$/;

function brief(problem: string): string {
  return problem.slice(0, linkLimits.MAX_PROBLEM_CHARS);
}
