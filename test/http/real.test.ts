/** The real program with real clients and servers, of both generations of the official SDK, over every route that has HTTP in it. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client as NewClient, StreamableHTTPClientTransport as NewHttp } from '@modelcontextprotocol/client';
import { StdioClientTransport as NewStdio } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as OldHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildPrograms, startFixture } from '../conformance/suite.ts';
import type { Fixture, Programs } from '../conformance/suite.ts';
import { saveByRename } from '../world/plane.ts';
import { cleanEnvironment, PORTCULLIS_PROXY, start, until } from '../world/process.ts';
import type { Running } from '../world/process.ts';
import { PATIENCE_MS } from './bridged.ts';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-real-')));
const policy = join(directory, 'upstream.yaml');
const HIDES = 'version: "1"\nhide: [move_file, get-env, test_image_content]\ntools:\n  write_file:\n    rules: [{ name: notes, conditions: [{ path: args.path, op: ends_with, value: .txt }], on_deny: Only notes may be written. }]\n  test_error_handling: { rules: [{ name: never, action: deny, on_deny: Not this one. }] }\n';

let programs: Programs;
let fixture: Fixture;
beforeAll(async () => {
  programs = await buildPrograms();
  fixture = await startFixture(programs);
}, 60_000);
afterAll(() => {
  fixture.close();
  programs.remove();
  rmSync(directory, { recursive: true, force: true });
});

const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});

const env = { PORTCULLIS_HOME: join(directory, 'home'), MEMORY_FILE_PATH: join(directory, 'memory.json') };
const own = (...args: readonly string[]): string[] => [PORTCULLIS_PROXY, '--policy', policy, '--server', 'upstream', ...args];

/** Starts the listener as a user does, and returns where it says that it listens. */
async function serve(...args: readonly string[]): Promise<URL> {
  const proxy: Running = start(process.execPath, own('--listen', '127.0.0.1:0', ...args), env);
  running.push({ stop: async () => expect(await proxy.stop()).toBe(0) });
  const url = await until('the proxy to listen', () => /listening on (http:\S+)/.exec(proxy.output())?.[1], PATIENCE_MS);
  return new URL(url);
}

function installed(name: string, file = 'dist/index.js'): string {
  return join(dirname(createRequire(import.meta.url).resolve(`@modelcontextprotocol/${name}/package.json`)), file);
}

const stdioOf = (args: readonly string[]) => ({ command: process.execPath, args: own(...args), env: cleanEnvironment(env) as Record<string, string>, stderr: 'ignore' as const });

async function oldClient(transport: OldHttp | OldStdio): Promise<OldClient> {
  const client = new OldClient({ name: 'old', version: '1' });
  // The SDK's own types differ in what may be absent.
  await client.connect(transport);
  running.push({ stop: () => client.close() });
  return client;
}

async function newClient(transport: NewHttp | NewStdio, mode: 'auto' | 'legacy'): Promise<NewClient> {
  const client = new NewClient({ name: 'new', version: '2' }, mode === 'auto' ? { versionNegotiation: { mode: 'auto' } } : {});
  await client.connect(transport);
  running.push({ stop: () => client.close() });
  return client;
}

function textOf(answer: unknown): string {
  return (answer as { readonly content: readonly { readonly text: string }[] }).content[0]?.text ?? '';
}

describe('clients and servers up to 2025-11-25', () => {
  it('server-filesystem as a process behind the listener', async () => {
    writeFileSync(policy, HIDES);
    writeFileSync(join(directory, 'a.txt'), 'hello');
    const client = await oldClient(new OldHttp(await serve('--', process.execPath, installed('server-filesystem'), directory)));
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect([names.includes('read_text_file'), names.includes('move_file')]).toEqual([true, false]);
    expect(textOf(await client.callTool({ name: 'read_text_file', arguments: { path: join(directory, 'a.txt') } }))).toBe('hello');
    expect(textOf(await client.callTool({ name: 'write_file', arguments: { path: join(directory, 'b.sh'), content: 'x' } }))).toBe('[POLICY DENIED] Only notes may be written.');
    const changed = new Promise<void>((resolve) => client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve()));
    saveByRename(policy, HIDES.replace('[move_file', '[move_file, read_text_file'));
    await changed;
    expect((await client.listTools()).tools.map(({ name }) => name)).not.toContain('read_text_file');
  });

  it('server-memory as a process behind the listener keeps its memory for the session', async () => {
    writeFileSync(policy, HIDES);
    const client = await oldClient(new OldHttp(await serve('--', process.execPath, installed('server-memory'))));
    const entity = { name: 'portcullis', entityType: 'gate', observations: ['drops in one heartbeat'] };
    await client.callTool({ name: 'create_entities', arguments: { entities: [entity] } });
    expect(textOf(await client.callTool({ name: 'search_nodes', arguments: { query: 'heartbeat' } }))).toContain('portcullis');
    await client.callTool({ name: 'delete_entities', arguments: { entityNames: ['portcullis'] } });
  });

  it('server-everything over HTTP, from stdio and from HTTP', async () => {
    writeFileSync(policy, HIDES);
    const port = await freePort();
    const server = start(process.execPath, [installed('server-everything'), 'streamableHttp'], { PORT: String(port) });
    running.push({ stop: () => server.stop('SIGKILL') });
    const url = `http://127.0.0.1:${port}/mcp`;
    await until('the server to listen', () => fetch(url).then(() => true, () => undefined), PATIENCE_MS, 50);
    for (const client of [await oldClient(new OldStdio(stdioOf(['--upstream', url]))), await oldClient(new OldHttp(await serve('--upstream', url)))]) {
      const names = (await client.listTools()).tools.map(({ name }) => name);
      expect([names.includes('echo'), names.includes('get-env')]).toEqual([true, false]);
      expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).toContain('hi');
      await expect(client.callTool({ name: 'get-env', arguments: {} })).rejects.toThrow('Unknown tool: get-env');
      const { resources } = await client.listResources();
      expect((await client.readResource({ uri: resources[0]?.uri ?? '' })).contents).toHaveLength(1);
      let progress = 0;
      const long = names.find((name) => /long/i.test(name)) ?? '';
      await client.callTool({ name: long, arguments: { duration: 0.3, steps: 3 } }, undefined, { onprogress: () => progress++ });
      expect(progress).toBeGreaterThan(0);
    }
  });
});

describe.each(['auto', 'legacy'] as const)('the new SDK on both sides, negotiating %s', (mode) => {
  async function session(client: NewClient): Promise<void> {
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect([names.includes('test_simple_text'), names.includes('test_image_content')]).toEqual([true, false]);
    expect(textOf(await client.callTool({ name: 'test_simple_text', arguments: {} }))).toContain('simple text');
    expect(textOf(await client.callTool({ name: 'test_error_handling', arguments: {} }))).toBe('[POLICY DENIED] Not this one.');
    await expect(client.callTool({ name: 'test_image_content', arguments: {} })).rejects.toThrow('Unknown tool: test_image_content');
    expect((await client.readResource({ uri: 'test://static-text' })).contents).toHaveLength(1);
    expect((await client.getPrompt({ name: 'test_simple_prompt' })).messages).toHaveLength(1);
  }

  it.each([
    ['HTTP to a URL', async () => new NewHttp(await serve('--upstream', fixture.url))],
    ['HTTP to a process', async () => new NewHttp(await serve('--', ...programs.stdio))],
    ['stdio to a URL', () => Promise.resolve(new NewStdio(stdioOf(['--upstream', fixture.url])))],
    ['stdio to a process', () => Promise.resolve(new NewStdio(stdioOf(['--', ...programs.stdio])))],
  ] as const)('%s', async (_route, transport) => {
    writeFileSync(policy, HIDES);
    await session(await newClient(await transport(), mode));
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
