/** A real plane with a real log, a real HTTP server with the link's door, and hosts that join and run proxies, all in one process. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { canonicalJson, digestOf } from '@portcullis/policy-core';
import type { Labels, Policy } from '@portcullis/policy-core';
import { openDecisions } from '../../apps/control-plane/src/decisions/open-decisions.ts';
import type { DecisionStore } from '../../apps/control-plane/src/decisions/decisions.ts';
import type { Command, OfferedDocument } from '../../apps/control-plane/src/domain/command.ts';
import type { Actor } from '../../apps/control-plane/src/domain/events.ts';
import { createFleet } from '../../apps/control-plane/src/fleet/fleet.ts';
import type { LiveFleet } from '../../apps/control-plane/src/fleet/fleet.ts';
import { join, makeJoinToken } from '../../apps/control-plane/src/join.ts';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import type { Contents, Executed, Plane } from '../../apps/control-plane/src/plane.ts';
import { readEnrolment } from '../../apps/proxy/src/host/enrolment.ts';
import { joinPlane } from '../../apps/proxy/src/host/join.ts';
import { startEnforcing } from '../../apps/proxy/src/link/enforce.ts';
import type { Enforcing } from '../../apps/proxy/src/link/enforce.ts';

export interface RunningPlane {
  readonly plane: Plane;
  readonly fleet: LiveFleet;
  readonly decisions: DecisionStore;
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** Replaces the whole policy directory. */
  publish(policies: readonly Policy[]): number;
  execute(command: Command): number;
  /** Kills the plane without a word, or lets it say goodbye. */
  stop(how: 'kill' | 'goodbye'): Promise<void>;
}

const admin: Actor = { kind: 'operator', id: 'admin' };

export function temporary(prefix: string): { readonly dir: string; readonly remove: () => void } {
  const dir = mkdtempSync(path.join(tmpdir(), `portcullis-${prefix}-`));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export async function startPlane(dataDir: string, port = 0, heartbeatMs = 200, checkpointMs?: number): Promise<RunningPlane> {
  const opened = openPlane({ dataDir, now: Date.now });
  if (!opened.ok) throw new Error(opened.problem);
  const { plane, keys } = opened;
  const decisions = openDecisions(path.join(dataDir, 'decisions.db'));
  const fleet = createFleet({ plane, keys, decisions, dataDir, now: Date.now, heartbeatMs, ...(checkpointMs === undefined ? {} : { checkpointMs }) });
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => void answer(plane, keys.sign, request, response));
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  fleet.attach(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const listening = (server.address() as AddressInfo).port;
  const execute = (command: Command, contents?: Contents): number => recorded(plane.execute(command, meta(), contents));
  return {
    plane,
    fleet,
    decisions,
    dataDir,
    port: listening,
    url: `http://127.0.0.1:${listening}`,
    publish: (policies) => {
      const { documents, contents } = documentsOf(policies);
      return execute({ kind: 'offer', documents, git: null, removals: 'accept' }, contents);
    },
    execute,
    stop: (how) => stop(how, { server, sockets, fleet, plane, decisions }),
  };
}

interface Running {
  readonly server: Server;
  readonly sockets: ReadonlySet<Socket>;
  readonly fleet: LiveFleet;
  readonly plane: Plane;
  readonly decisions: DecisionStore;
}

async function stop(how: 'kill' | 'goodbye', { server, sockets, fleet, plane, decisions }: Running): Promise<void> {
  if (how === 'kill') for (const socket of sockets) socket.destroy();
  await fleet.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  decisions.close();
  plane.close();
}

function documentsOf(policies: readonly Policy[]): { documents: ReadonlyMap<string, OfferedDocument>; contents: Contents } {
  const documents = new Map<string, OfferedDocument>();
  const contents = new Map<string, Buffer>();
  for (const policy of policies) {
    const model = Buffer.from(canonicalJson(policy));
    const text = Buffer.from(`# ${canonicalJson(policy)}`);
    documents.set(policy.id, { kind: 'valid', textSha256: digestOf(text), textBytes: text.length, modelSha256: digestOf(model), modelBytes: model.length, policy });
    contents.set(digestOf(text), text).set(digestOf(model), model);
  }
  return { documents, contents };
}

function meta() {
  return { nowMs: Date.now(), actor: admin, auth: { method: 'token', ref: 'admin' }, reason: 'test', idem: null, cause: null } as const;
}

function recorded(executed: Executed): number {
  if (!executed.ok) throw new Error(`${executed.refusal.code}: ${executed.refusal.message}`);
  return executed.state.version;
}

async function answer(plane: Plane, sign: (bytes: Uint8Array) => Uint8Array, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const joined = request.url === '/v1/join' ? join(plane, sign, JSON.parse(Buffer.concat(chunks).toString()), Date.now()) : null;
  response.statusCode = joined === null ? 404 : joined.ok ? 200 : 409;
  response.end(JSON.stringify(joined === null ? {} : joined.ok ? joined.body : { error: joined.refusal }));
}

/** Enrols a host in its own home; returns its id. */
export async function enrol(running: RunningPlane, home: string, labels: Labels, name = 'host'): Promise<string> {
  const token = makeJoinToken(running.plane.state(), randomBytes);
  running.execute({ kind: 'create-join-token', token: token.id, secretSha256: token.secretSha256, labels, expiresAtMs: Date.now() + 60_000 });
  const joined = await joinPlane({ url: running.url, token: token.text, home, name });
  if (!joined.ok) throw new Error(joined.problem);
  return joined.host;
}

/** Starts a proxy of an enrolled host. */
export async function startProxy(home: string, server: string, upstream = `npx ${server}`): Promise<Enforcing & { readonly told: string[] }> {
  const found = readEnrolment(home);
  if (found.kind !== 'enrolled') throw new Error(found.kind);
  const told: string[] = [];
  const enforcing = await startEnforcing({ home, ...found, server, upstream, shown: upstream, build: '0.1.0', tell: (line) => told.push(line) });
  return { ...enforcing, told };
}

/** Waits for something to become true; says what it was when it does not. */
export async function until(what: string, check: () => boolean, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!check()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Whether the gate lets a tool through now. */
export function allows(enforcing: Pick<Enforcing, 'gate'>, tool: string): boolean {
  const judged = enforcing.gate.judge({ kind: 'tool', name: tool, arguments: {} }, { name: 'test' });
  if (judged.decision.decision === 'allow') judged.settle('ok');
  return judged.decision.decision === 'allow';
}
