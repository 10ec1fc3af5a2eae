/** Which listener gets a token, what its answers may do to a command, and how a command ends. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { proveIdentity, signerOf } from '@portcullis/policy-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeDiscovery } from '../discovery.ts';
import { run } from './program.ts';
import type { Terminal } from './terminal.ts';

const LOG = 'plane.example/1';
/** Beyond every pid_max: no process has it. */
const NOBODY = 2 ** 30;
const key = signerOf(randomBytes(32));

let home: string;
const servers: Server[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'portcullis-connection-'));
  for (const role of ['responder', 'admin']) writeFileSync(join(home, role), `the-${role}-token\n`);
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(home, { recursive: true, force: true });
});

interface Listener {
  readonly url: string;
  /** Tokens that it was sent. */
  readonly tokens: string[];
  readonly requests: string[];
  /** One for each connection that was made. */
  readonly sockets: Set<unknown>;
}

async function listener(handle: (request: IncomingMessage, url: string) => string | null, respond?: RequestListener): Promise<Listener> {
  const seen = { tokens: [] as string[], requests: [] as string[], sockets: new Set<unknown>() };
  const server = createServer((request, response) => {
    seen.requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    seen.sockets.add(request.socket);
    if (request.headers.authorization !== undefined) seen.tokens.push(request.headers.authorization);
    const text = handle(request, url);
    if (text === null) return respond?.(request, response);
    response.setHeader('content-type', 'application/json').end(text);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, ...seen };
}

function nonceOf(request: IncomingMessage): string | null {
  return new URL(request.url ?? '', 'http://x').searchParams.get('nonce');
}

function prove(nonce: string, url: string): string {
  return JSON.stringify(proveIdentity(key.sign, { log: LOG, nonce, url }, []));
}

function announce(url: string, pid = process.pid): void {
  writeDiscovery(home, { url, log: LOG, publicKey: key.publicKey, tokens: { responder: join(home, 'responder'), admin: join(home, 'admin') }, pid, dataDir: '/d', startedAt: '2026-01-05T12:00:00Z' });
}

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function command(args: readonly string[], env: Readonly<Record<string, string>> = {}, signal: AbortSignal = new AbortController().signal): Promise<Said> {
  const out: string[] = [];
  const err: string[] = [];
  const terminal: Terminal = {
    out: (text) => void out.push(text), err: (text) => void err.push(text), progress: () => undefined, input: Readable.from([]),
    env: { PORTCULLIS_HOME: home, ...env }, cwd: home, interactive: false, now: () => Date.now(), signal,
  };
  return { code: await run(args, terminal), out: out.join('\n'), err: err.join('\n') };
}

const STATUS = ['status'];
const LOCKDOWN = ['lockdown', '--reason', 'drill', '--timeout', '1s'];
const EVERYTHING = [STATUS, LOCKDOWN, ['confirm', 'x', '--as', 'admin'], ['tail'], ['tail', '--last', '3'], ['log'], ['show', '1'], ['hosts'], ['hold', 'list'], ['token', 'list'], ['join-token', 'create'], ['rollback', '1', '--reason', 'x']];

describe('a plane that this machine announces', () => {
  it('[O4] gets no token where something else has taken its port, whatever that answers', async () => {
    for (const body of ['{}', '[]', 'null', '{"version":1,"recorded":[]}', '<html>']) {
      for (const pid of [process.pid, NOBODY]) {
        const impostor = await listener(() => body);
        announce(impostor.url, pid);
        for (const args of EVERYTHING) {
          const said = await command(args);
          expect(said.code, args.join(' ')).toBe(3);
          expect(said.err.split('\n'), said.err).toHaveLength(1);
          expect(said.err.toLowerCase()).toContain('no token was sent');
          expect(said.err).toContain('portcullis serve');
          expect(said.out).toBe('');
        }
        expect(impostor.tokens).toEqual([]);
      }
    }
  });

  it('[O4] gets none from an impostor that passes the question on to a plane elsewhere, nor from one with an old answer', async () => {
    const elsewhere = await listener((request, url) => prove(nonceOf(request) ?? '', url));
    const relay = await listener((request) => prove(nonceOf(request) ?? '', elsewhere.url));
    const kept = randomBytes(32).toString('base64url');
    const replay = await listener((_request, url) => prove(kept, url));
    for (const { url, tokens } of [relay, replay]) {
      announce(url);
      expect((await command(STATUS)).code).toBe(3);
      expect(tokens).toEqual([]);
    }
  });

  it('[O4] gets the token on the connection on which it has proved itself, and on no other', async () => {
    const plane = await listener((request, url) => (nonceOf(request) === null ? '{"holds":[]}' : prove(nonceOf(request) ?? '', url)));
    announce(plane.url);
    expect(await command(['hold', 'list'])).toMatchObject({ code: 0, out: 'Nothing is held.' });
    expect(plane.tokens).toEqual(['Bearer the-responder-token']);
    expect([plane.requests.length, plane.sockets.size]).toEqual([2, 1]);

    // It proves itself and hangs up: whoever answers a second connection may be somebody else.
    const brief = await listener((request) => (nonceOf(request) === null ? '{"holds":[]}' : null), (request, response) => {
      response.writeHead(200, { connection: 'close', 'content-type': 'application/json' }).end(prove(nonceOf(request) ?? '', brief.url));
    });
    announce(brief.url);
    const said = await command(['hold', 'list']);
    expect([said.code, brief.tokens]).toEqual([3, []]);
  });

  it('is said to have ended where nothing listens and its process is gone', async () => {
    const plane = await listener(() => '{}');
    announce('http://127.0.0.1:1', NOBODY);
    const said = await command(STATUS);
    expect(said.code).toBe(3);
    expect(said.err).toContain('left over');
    announce('http://127.0.0.1:1');
    expect((await command(STATUS)).err).toContain('ECONNREFUSED');
    expect(plane.requests).toEqual([]);
  });
});

describe('what answers where PORTCULLIS_URL points', () => {
  const at = (url: string): Readonly<Record<string, string>> => ({ PORTCULLIS_URL: url, PORTCULLIS_TOKEN: 'pcop_x' });

  it('[O3] is one clear line and exit code 3 where it is no plane, and never a success', async () => {
    for (const body of ['{}', '[]', 'null', '7', '"x"', '<html>', '{"version":"x"}', '{"version":1,"recorded":[null]}', '{"holds":[{}]}', '{"__proto__":{"version":1}}']) {
      const other = await listener(() => body);
      for (const args of EVERYTHING) for (const json of [[], ['--json']]) {
        const said = await command([...args, ...json], at(other.url));
        expect(said.code, `${args.join(' ')}: ${body}`).toBe(3);
        expect(said.err.split('\n'), said.err).toHaveLength(1);
        expect(said.err).not.toContain('TypeError');
        expect(said.out).toBe('');
      }
    }
  });

  it('[O3] is one clear line where fields deeper than those that are checked are not what this version knows', async () => {
    const events = [{ type: 'FromTheFuture' }, { type: 'RolledBack' }, { type: 'PolicySetPublished', changes: 7 }];
    for (const event of events) {
      const newer = await listener(() => JSON.stringify({ version: 1, next: null, events: [{ seq: 1, atMs: 1, actor: { kind: 'plane', id: 'plane' }, event }], recorded: [{ seq: 1, atMs: 1, actor: { kind: 'plane', id: 'plane' }, event }] }));
      for (const args of [['log'], ['confirm', 'x']]) {
        const said = await command(args, at(newer.url));
        expect(said.err + said.out).not.toMatch(/TypeError|\n\s+at /);
        expect([0, 3], said.err).toContain(said.code);
      }
    }
  });

  it('cannot make a stream of it end in a stack, or go on for ever in one message', async () => {
    for (const message of ['data: {', 'event: decision\ndata: {}', 'event: missed\ndata: []', `data: ${'x'.repeat(2_000_000)}`]) {
      const other = await listener(() => null, (_request, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`${message}${message.length > 1_000_000 ? '' : '\n\n'}`));
      const said = await command(['tail'], at(other.url));
      expect(said.code).toBe(3);
      expect(said.err.split('\n')).toHaveLength(1);
    }
  });
});

describe('a token', () => {
  const refuse = () => listener((request, url) => (nonceOf(request) === null ? null : prove(nonceOf(request) ?? '', url)), (_request, response) => {
    response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":{"code":"unauthorized","message":"A valid operator token is needed."}}');
  });

  it('[O3] that the plane does not know is named by where it is from', async () => {
    const { url } = await refuse();
    expect(await command(STATUS, { PORTCULLIS_URL: url, PORTCULLIS_TOKEN: 'pcop_x' })).toMatchObject({ code: 4, err: expect.stringMatching(/does not know the token in PORTCULLIS_TOKEN: .*token create/) as string });
    announce(url);
    expect(await command(['status', '--as', 'admin'])).toMatchObject({ code: 4, err: expect.stringContaining(`does not know the token in ${join(home, 'admin')}`) as string });
  });

  it('[O3] that no header could carry is refused before anything is asked', async () => {
    const { url, requests } = await refuse();
    for (const token of ['a b', 'x\ny', 'é']) expect(await command(STATUS, { PORTCULLIS_URL: url, PORTCULLIS_TOKEN: token })).toMatchObject({ code: 2, err: expect.stringContaining('PORTCULLIS_TOKEN') as string });
    expect(requests).toEqual([]);
  });
});

describe('an interrupted command', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;

  it('ends at once, however often memory was collected while it waited', async () => {
    const silent = await listener((request, url) => (nonceOf(request) === null ? null : prove(nonceOf(request) ?? '', url)), (request, response) => {
      if (request.url?.startsWith('/v1/decisions/stream') === true) response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': connected\n\n');
    });
    announce(silent.url);
    for (const [args, code] of [[['tail'], 0], [STATUS, 130], [['status', '--wait', '1', '--timeout', '30s'], 130]] as const) {
      const before = silent.requests.length;
      const stopping = new AbortController();
      const running = command(args, {}, stopping.signal);
      while (silent.requests.length < before + 2) await new Promise((resolve) => setTimeout(resolve, 5));
      for (let round = 0; round < 10; round += 1) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        collect();
      }
      const began = performance.now();
      stopping.abort();
      expect((await running).code, args.join(' ')).toBe(code);
      expect(performance.now() - began).toBeLessThan(1_000);
    }
  });
});
