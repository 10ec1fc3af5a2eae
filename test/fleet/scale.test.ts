/** A thousand proxies on one plane: how long until all enforce a change, and what it costs the plane. Figures are printed, bounds are generous. */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson, linkLimits, plainFrame, readDown, signedFrame, signerOf, signHeader, verifierOf } from '@portcullis/policy-core';
import type { Held, HelloHeader } from '@portcullis/policy-core';
import { WebSocket } from 'ws';
import { readEnrolment } from '../../apps/proxy/src/host/enrolment.ts';
import { enrol, startPlane, temporary, until } from './plane-fixture.ts';
import type { RunningPlane } from './plane-fixture.ts';
import { policyOf } from './world.ts';

const PROXIES = Number(process.env['PORTCULLIS_SCALE'] ?? 1000);
const SERVERS = 20;
const places = [temporary('plane'), temporary('home')] as const;
let running: RunningPlane;
const sockets: WebSocket[] = [];

/** A proxy that acknowledges whatever it is sent. One in ten verifies signatures, because all share this process with the plane. */
function connect(found: Extract<ReturnType<typeof readEnrolment>, { kind: 'enrolled' }>, index: number): Promise<void> {
  const signer = signerOf(found.seed);
  const real = verifierOf(found.enrolment.planeKey) ?? (() => false);
  const verify = index % 10 === 0 ? real : () => true;
  const socket = new WebSocket(`${running.url.replace('http', 'ws')}/v1/link`, { perMessageDeflate: false });
  sockets.push(socket);
  let held: Held = { policies: null, restrictions: null, pending: true, inFlight: 0 };
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (data: Buffer) => {
      const read = readDown(data.toString(), verify);
      if (!read.ok) return reject(new Error(read.message));
      const frame = read.value;
      if (frame.frame === 'challenge') {
        const header = canonicalJson({
          protocol: linkLimits.LINK_PROTOCOL, log: frame.log, host: found.enrolment.host, server: `s${index % SERVERS}`, upstream: 'x', boot: randomUUID(), nonce: frame.nonce,
          answer: randomBytes(32).toString('base64url'), counter: index + 1, build: '1', features: [], policies: null, restrictions: null, pending: true, checkpoint: null,
        } satisfies HelloHeader);
        return socket.send(signedFrame('hello', header, signHeader(signer.sign, 'connect', header)));
      }
      if (frame.frame === 'welcome') return resolve();
      if (frame.frame === 'snapshot') held = { ...held, policies: { version: frame.signed.version, digest: frame.signed.digest }, pending: held.restrictions === null };
      else if (frame.frame === 'restrict') held = { ...held, restrictions: { version: frame.signed.version, digest: frame.signed.digest }, pending: held.policies === null };
      else if (frame.frame === 'advance' && held.policies !== null && held.restrictions !== null) {
        const { version } = frame.signed;
        held = { ...held, policies: { ...held.policies, version }, restrictions: { ...held.restrictions, version }, pending: false };
      } else return undefined;
      return socket.send(plainFrame({ frame: 'ack', ...held, heard: null }));
    });
  });
}

beforeAll(async () => {
  running = await startPlane(places[0].dir, 0, linkLimits.HEARTBEAT_MS);
  await enrol(running, places[1].dir, {});
  running.publish(policies('a'));
  const found = readEnrolment(places[1].dir);
  if (found.kind !== 'enrolled') throw new Error('not enrolled');
  for (let start = 0; start < PROXIES; start += 200) {
    await Promise.all(Array.from({ length: Math.min(200, PROXIES - start) }, (_, index) => connect(found, start + index)));
  }
  await until('all connected', () => all(running.plane.state().version), 60_000);
}, 120_000);

afterAll(async () => {
  for (const socket of sockets) socket.terminate();
  await running.stop('kill');
  for (const place of places) place.remove();
});

function policies(tool: string) {
  return Array.from({ length: SERVERS }, (_, index) => policyOf(`s${index}.yaml`, Array.from({ length: 200 }, (_entry, entry) => `${tool}_${entry}`), { server: [`s${index}`] }));
}

function all(version: number): boolean {
  const { wanted, enforcing } = running.fleet.progress(version);
  return wanted === PROXIES && enforcing === PROXIES;
}

async function measure(what: string, version: number): Promise<readonly number[]> {
  await until(what, () => running.fleet.progress(version).tookMs.length === PROXIES, 30_000);
  const { tookMs } = running.fleet.progress(version);
  const at = (share: number): string => (tookMs[Math.ceil(share * tookMs.length) - 1] ?? 0).toFixed(1);
  process.stderr.write(`${what}, ${PROXIES} proxies in one process with the plane: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, last ${at(1)} ms\n`);
  return tookMs;
}

describe('a thousand proxies', () => {
  it('[W6] a lockdown reaches all of them', async () => {
    const version = running.execute({ kind: 'restrict', selector: { server: [], labels: {} }, tools: null, readOnly: false, expiresAtMs: null });
    const took = await measure('lockdown', version);
    expect(took.at(-1)).toBeLessThan(5_000);
    running.execute({ kind: 'lift', restriction: [...running.plane.state().restrictions.keys()][0] ?? '', expected: null });
    await until('lifted', () => all(running.plane.state().version));
  }, 60_000);

  it('[W4] a change of every policy reaches all of them, and one of one server tells the others too', async () => {
    const everything = running.publish(policies('b'));
    expect((await measure('publish of 200 tools to each', everything)).at(-1)).toBeLessThan(10_000);
    const one = running.publish(policies('b').map((policy, index) => (index === 0 ? policyOf('s0.yaml', ['only'], { server: ['s0'] }) : policy)));
    await measure('publish that concerns one server in twenty', one);
  }, 60_000);

  it('[W6] a lockdown overtakes a publish that is under way', async () => {
    running.publish(policies('c'));
    const version = running.execute({ kind: 'restrict', selector: { server: [], labels: {} }, tools: null, readOnly: false, expiresAtMs: null });
    await measure('publish and, at once, lockdown (until both are enforced)', version);
  }, 60_000);
});
