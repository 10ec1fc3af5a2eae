/** Proxies that the door refuses, as operators see them. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { enrol, startPlane, startProxy, temporary, until } from './plane-fixture.ts';
import { policyOf } from './world.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(prefix: string): string {
  const { dir, remove } = temporary(prefix);
  cleanups.push(remove);
  return dir;
}

it('[W1] shows a revoked host, one of another plane and one that is no proxy, with what to do, until they come in', async () => {
  const dataDir = folder('plane');
  const running = await startPlane(dataDir);
  const home = folder('home');
  const host = await enrol(running, home, {}, 'laptop');
  running.publish([policyOf('github.yaml', ['read'])]);
  const stranger = new WebSocket(`ws://127.0.0.1:${running.port}/v1/link`);
  stranger.on('error', () => undefined);
  stranger.once('message', () => stranger.send('{"frame":"hi"}'));
  await until('the stranger', () => running.fleet.turnedAway().length === 1);
  expect(running.fleet.turnedAway()).toMatchObject([{ host: null, proved: false, from: '127.0.0.1', count: 1 }]);

  running.execute({ kind: 'revoke-host', host });
  const revoked = await startProxy(home, 'github');
  await until('the revoked host', () => running.fleet.turnedAway().some(({ reason }) => reason === 'revoked'));
  expect(running.fleet.turnedAway()[0]).toMatchObject({ host, hostName: 'laptop', server: 'github', proved: true, message: expect.stringContaining('join') as string });
  await revoked.close();
  await running.stop('kill');

  // The same address, and a plane that knows nothing of the host.
  rmSync(path.join(dataDir, 'log.db'), { force: true });
  const other = await startPlane(folder('other'), running.port);
  cleanups.push(() => other.stop('kill'));
  const stray = await startProxy(home, 'github');
  cleanups.push(() => stray.close());
  await until('the stray', () => other.fleet.turnedAway().length === 1);
  expect(other.fleet.turnedAway()).toMatchObject([{ host, hostName: null, server: 'github', proved: false, reason: 'other-log', from: '127.0.0.1' }]);
  expect(other.fleet.proxies()).toEqual([]);
});
