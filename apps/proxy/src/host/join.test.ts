import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { proveIdentity, signerOf } from '@portcullis/policy-core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { joinLocal } from './join.ts';

const LOG = 'plane.example/1';
const key = signerOf(randomBytes(32));

let home: string;
let server: Server;
let url: string;
let answer: (nonce: string | null) => string;
let tokens: string[];
let requests: string[];
let bodies: string[];
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'portcullis-join-'));
  tokens = [];
  requests = [];
  bodies = [];
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    request.on('data', (chunk: Buffer) => bodies.push(chunk.toString('utf8')));
    if (request.headers.authorization !== undefined) tokens.push(request.headers.authorization);
    response.setHeader('content-type', 'application/json').end(answer(new URL(request.url ?? '', 'http://x').searchParams.get('nonce')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(join(home, 'admin'), 'the-admin-token\n');
  writeFileSync(join(home, 'plane.json'), JSON.stringify({ url, log: LOG, publicKey: key.publicKey, tokens: { responder: 'r', admin: join(home, 'admin') }, pid: 1 }));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(home, { recursive: true, force: true });
});

it('[O4] gives the admin token to nobody who has taken the port of the announced plane', async () => {
  const answers: readonly (typeof answer)[] = [
    () => '{}', () => '{"token":"x"}', () => '<html>',
    (nonce) => JSON.stringify(proveIdentity(signerOf(randomBytes(32)).sign, { log: LOG, nonce: nonce ?? '', url }, [])),
    (nonce) => JSON.stringify(proveIdentity(key.sign, { log: LOG, nonce: nonce ?? '', url: 'http://127.0.0.1:1' }, [])),
  ];
  for (answer of answers) {
    const joined = await joinLocal(home);
    expect(joined).toMatchObject({ ok: false, why: 'refused' });
    expect(joined.ok ? '' : joined.problem).toMatch(/is not the plane that .* names .*no token/);
    expect(tokens).toEqual([]);
    expect(existsSync(join(home, 'host.json'))).toBe(false);
  }
});

it('[O4] gives it to the plane that proves itself', async () => {
  answer = (nonce) => (nonce === null ? '{}' : JSON.stringify(proveIdentity(key.sign, { log: LOG, nonce, url }, [])));
  expect(await joinLocal(home)).toMatchObject({ ok: false, problem: expect.stringContaining('no join token') as string });
  expect(tokens).toEqual(['Bearer the-admin-token']);
});

it('asks for a token that nobody else has the time to use', async () => {
  answer = (nonce) => (nonce === null ? '{}' : JSON.stringify(proveIdentity(key.sign, { log: LOG, nonce, url }, [])));
  await joinLocal(home);
  expect(JSON.parse(bodies.join(''))).toEqual({ reason: 'join --local', ttlMs: 60_000 });
});

it('asks for no token on a host that has joined, or whose enrolment is damaged: none is left behind', async () => {
  const enrolment = { url, log: LOG, planeKey: key.publicKey, recoveryKeySha256: 'x', host: 'h-1', name: 'one' };
  for (const [text, says] of [[JSON.stringify(enrolment), 'enrolled already, as h-1'], ['{', 'join again']] as const) {
    writeFileSync(join(home, 'host.json'), text);
    writeFileSync(join(home, 'host.key'), `${randomBytes(32).toString('base64')}\n`);
    expect(await joinLocal(home)).toMatchObject({ ok: false, why: 'refused', problem: expect.stringContaining(says) as string });
  }
  expect(requests).toEqual([]);
});
