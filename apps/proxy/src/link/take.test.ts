import { describe, expect, it } from 'vitest';
import { canonicalJson, digestOf, policiesBody, restrictionsBody, signedFrame, signerOf, signHeader, verifierOf } from '@portcullis/policy-core';
import type { Policy, UpFrame } from '@portcullis/policy-core';
import { WebSocket } from 'ws';
import { createGate } from '../gate.ts';
import { startStale } from '../guard/freshness.ts';
import { emptyGuard } from '../guard/guard.ts';
import type { Persist } from '../guard/guard.ts';
import type { LastGood } from '../store/last-good.ts';
import { eventLoop } from '../timers.ts';
import { makeBackoff } from './backoff.ts';
import { report } from './live.ts';
import type { Connection, Live } from './live.ts';
import { take } from './take.ts';

const LOG = 'portcullis.test/1';
const signer = signerOf(new Uint8Array(32).fill(5));
const verify = verifierOf(signer.publicKey) ?? (() => false);
const cut = { server: 's', labels: {} };

function snapshot(version: number, tools: readonly string[]): string {
  const at = { line: 1, column: 1 };
  const policy: Policy = {
    model: 1, id: 's.yaml', description: null, match: { server: ['s'], labels: {}, upstream: [] }, admits: true, mode: 'enforce', default: 'deny', defaultAt: at, onStale: null, hide: [], readOnly: null,
    tools: tools.map((pattern) => ({ pattern, at, rules: [] })), resources: null, prompts: null, methods: null,
  };
  const body = policiesBody([policy]);
  const header = canonicalJson({ log: LOG, cut, version, digest: digestOf(body), restrictions: 0 });
  return signedFrame('snapshot', header, signHeader(signer.sign, 'snapshot', header), body);
}

function restrict(version: number, tools: readonly string[]): string {
  const set = tools.map((tool) => ({ id: `r-${tool}`, selector: { server: [], labels: {} }, scope: { kind: 'tools' as const, globs: [tool] }, readOnly: false, reason: 'r', actor: 'a', imposedAtMs: 0, expiresAtMs: null }));
  const body = restrictionsBody(set);
  const header = canonicalJson({ log: LOG, cut, version, digest: digestOf(body), after: 1 });
  return signedFrame('restrict', header, signHeader(signer.sign, 'restrict', header), body);
}

/** A link whose disk answers when it is told to, with a plane that only listens. */
async function linked() {
  const writes: { readonly record: Persist; readonly stored: () => void; readonly failed: () => void }[] = [];
  const said: UpFrame[] = [];
  const lastGood: LastGood = {
    read: () => ({ policies: [], restrictions: [], head: [], newestRestrictions: null }),
    write: (record) => new Promise((resolve, reject) => {
      writes.push({ record, stored: resolve, failed: () => reject(Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' })) });
    }),
    forget: () => Promise.resolve(),
    keepEvidence: () => undefined,
    checkpoints: () => [],
    readStale: () => 0,
    writeStale: () => undefined,
  };
  const gate = createGate({
    boot: 'b', upstream: 'npx s', now: () => 0, staleMs: () => 0, keep: () => undefined, argumentsKey: null, openCounters: () => Promise.reject(new Error('nothing counts here')), closedMessage: 'closed',
  });
  const socket = { readyState: WebSocket.OPEN, send: (text: string) => void said.push(JSON.parse(text) as UpFrame), terminate: () => undefined, close: () => undefined };
  const connection: Connection = { socket: socket as unknown as WebSocket, phase: 'linked', answer: '', asked: { monoMs: 0, wallMs: 0 }, lastHeardMs: 0, heard: null, unshownSince: null, pending: 0, problem: null, planeLog: null };
  const unused = (): never => {
    throw new Error('no part of this');
  };
  const live: Live = {
    options: {
      url: '', log: LOG, host: 'h', server: 's', upstream: 'npx s', boot: 'b', build: '1', sign: signer.sign, verify, drawCounter: unused, gate, lastGood,
      outbox: { add: unused, connected: unused, disconnected: unused, acknowledged: unused, close: unused, dropped: 0 },
      state: emptyGuard(LOG, 's'), witnessed: null, planeKeys: () => [signer.publicKey], clocks: () => ({ monoMs: 0, wallMs: 0 }), tell: () => undefined,
    },
    verify, timers: eventLoop, backoff: makeBackoff(() => 0), guard: emptyGuard(LOG, 's'), witnessed: null, remembering: Promise.resolve(), freshness: startStale(0, { monoMs: 0, wallMs: 0 }),
    connection, state: { kind: 'connecting', sinceMs: 0, problem: null }, retry: null, closed: false, work: Promise.resolve(), waiting: new Set(),
  };
  /** The frame is taken as far as the disk; what is returned goes on from there. */
  const reach = async (text: string): Promise<{ readonly stored: () => Promise<void>; readonly failed: () => Promise<void> }> => {
    const before = writes.length;
    const taken = take(live, connection, text);
    for (let turn = 0; turn < 100 && writes.length === before; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const write = writes.at(-1);
    if (write === undefined || writes.length === before) throw new Error(`never reached the disk: ${JSON.stringify(said.at(-1))}`);
    return { stored: () => (write.stored(), taken), failed: () => (write.failed(), taken) };
  };
  const permits = (): readonly string[] =>
    ['read', 'write'].filter((name) => {
      const judged = gate.judge({ kind: 'tool', name, arguments: {} }, { name: null });
      judged.settle('ok');
      return judged.decision.decision === 'allow';
    });
  await (await reach(restrict(1, []))).stored();
  await (await reach(snapshot(1, ['read']))).stored();
  said.length = 0;
  return { reach, permits, said, held: () => ({ policies: report(live).policies?.version, restrictions: report(live).restrictions?.version }) };
}

describe('a frame that is taken', () => {
  it.each([
    ['snapshot', snapshot(2, ['read', 'write']), ['read', 'write'], { policies: 2, restrictions: 1 }],
    ['restrict', restrict(2, ['read']), [], { policies: 1, restrictions: 2 }],
  ] as const)('[W9] [P6] %s: neither enforced nor said to be held before it is on the disk', async (_frame, text, then, marks) => {
    const { reach, permits, said, held } = await linked();
    const { stored } = await reach(text);
    expect([permits(), held(), said]).toEqual([['read'], { policies: 1, restrictions: 1 }, []]);
    await stored();
    expect([permits(), held()]).toEqual([then, marks]);
    expect(said).toMatchObject([{ frame: 'ack' }]);
  });

  it('[W9] [P6] policies that the disk does not take are not in force, and the plane may send them again', async () => {
    const { reach, permits, said, held } = await linked();
    await (await reach(snapshot(2, ['read', 'write']))).failed();
    expect([permits(), held()]).toEqual([['read'], { policies: 1, restrictions: 1 }]);
    expect(said).toMatchObject([{ frame: 'nack', part: 'policies', kind: 'transient' }]);
    await (await reach(snapshot(2, ['read', 'write']))).stored();
    expect([permits(), held()]).toEqual([['read', 'write'], { policies: 2, restrictions: 1 }]);
  });

  it('[P6] a restriction that the disk does not take is obeyed as long as this process lives, and not acknowledged', async () => {
    const { reach, permits, said, held } = await linked();
    await (await reach(restrict(2, ['read']))).failed();
    expect([permits(), held()]).toEqual([[], { policies: 1, restrictions: 1 }]);
    expect(said).toMatchObject([{ frame: 'nack', part: 'restrictions', kind: 'transient' }]);
    await (await reach(restrict(2, ['read']))).stored();
    expect([permits(), held()]).toEqual([[], { policies: 1, restrictions: 2 }]);
    expect(said.at(-1)).toMatchObject({ frame: 'ack' });
  });

  it('[P6] [W6] a lift that the disk does not take lifts nothing', async () => {
    const { reach, permits } = await linked();
    await (await reach(restrict(2, ['read']))).stored();
    await (await reach(restrict(3, []))).failed();
    expect(permits()).toEqual([]);
    await (await reach(restrict(3, []))).stored();
    expect(permits()).toEqual(['read']);
  });
});
