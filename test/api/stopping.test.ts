/** A plane that is told to stop while others hold on to it: proxies, tails, sockets that never say who they are. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enrolHost, EVERYTHING_SERVER, startAgent, type AgentInWorld } from '../world/host.ts';
import { startPlane, type PlaneProcess } from '../world/plane.ts';
import { PORTCULLIS, start, until, type Running } from '../world/process.ts';

/** What `serve` may take to stop, on a busy machine. Its own deadlines are shorter. */
const STOPPED_MS = 8_000;

let directory: string;
let plane: PlaneProcess;
let agent: AgentInWorld | undefined;
let tail: Running | undefined;
let sockets: Socket[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-stop-'));
  sockets = [];
  plane = await startPlane(directory);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await agent?.close();
  await tail?.stop('SIGKILL');
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe('SIGTERM', () => {
  it('ends the plane with 0 while a proxy is connected, and the proxy comes back to the next one', async () => {
    plane.save('everything.yaml', 'version: "1"\n');
    const host = await enrolHost(plane, 'one', {});
    agent = await startAgent(host, 'everything', [process.execPath, EVERYTHING_SERVER]);
    await connected(1);
    expect(await plane.running().stop('SIGTERM', STOPPED_MS)).toBe(0);
    expect(existsSync(join(plane.home, 'plane.json'))).toBe(false);
    await plane.startAgain();
    await connected(1);
    expect((await agent.call('echo', { message: 'still here' })).denied).toBe(false);
  });

  it('ends it while somebody tails, asks slowly, or opened the link and says nothing', async () => {
    tail = start(process.execPath, [PORTCULLIS, 'tail', '--json'], { PORTCULLIS_HOME: plane.home });
    const link = 'GET /v1/link HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
    for (const text of ['', 'GET /v1/st', 'POST /v1/restrictions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{', link]) sockets.push(await open(text));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await plane.running().stop('SIGTERM', STOPPED_MS)).toBe(0);
    // Whoever tails waits for the plane to come back, until told not to.
    expect(tail.child.exitCode).toBeNull();
    expect(await tail.stop('SIGINT')).toBe(0);
  });
});

async function connected(proxies: number): Promise<void> {
  await until('the proxy', async () => {
    const { fleet } = (await plane.ask('status')) as { readonly fleet: { readonly current: number } };
    return fleet.current === proxies;
  }, 20_000);
}

function open(text: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(plane.url()).port), '127.0.0.1', () => {
      socket.write(text);
      resolve(socket);
    });
    socket.on('error', reject);
    socket.on('data', () => undefined);
  });
}
