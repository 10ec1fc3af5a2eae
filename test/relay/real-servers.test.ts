/** The real thing: the official client, through the relay as a process, to the official servers. */
import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { CreateMessageRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildProxy } from './proxied.ts';

let fixture = '';
const open: Client[] = [];
beforeAll(async () => {
  fixture = await buildProxy();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});

function serverPath(name: string): string {
  const manifest = createRequire(import.meta.url).resolve(`@modelcontextprotocol/${name}/package.json`);
  return join(dirname(manifest), 'dist/index.js');
}

const FILESYSTEM = serverPath('server-filesystem');
const EVERYTHING = serverPath('server-everything');

interface Connection {
  readonly client: Client;
  readonly pid: () => number;
}

async function connect(policy: string | null, server: readonly string[], next = policy ?? ''): Promise<Connection> {
  const env = { ...(process.env as Record<string, string>), ...(policy === null ? {} : { POLICY_TEXT: policy, POLICY_NEXT: next }) };
  const args = policy === null ? [...server] : [fixture, '--', process.execPath, ...server];
  const transport = new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' });
  const client = new Client({ name: 'real-client', version: '1' }, { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } });
  client.setRequestHandler(CreateMessageRequestSchema, () => ({ model: 'none', role: 'assistant' as const, content: { type: 'text' as const, text: 'sampled' } }));
  open.push(client);
  await client.connect(transport);
  return { client, pid: () => transport.pid ?? 0 };
}

function textOf(result: unknown): string {
  return (result as { content: { text: string }[] }).content[0]?.text ?? '';
}

describe('server-filesystem', () => {
  const POLICY = `version: "1"
hide: [move_file]
tools:
  write_file:
    rules:
      - name: only notes
        conditions: [{ path: args.path, op: ends_with, value: .txt }]
        on_deny: Only notes may be written.
`;

  it('works as without us, but for what the policy takes away', async () => {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-fs-')));
    writeFileSync(join(dir, 'a.txt'), 'hello');
    const direct = await connect(null, [FILESYSTEM, dir]);
    const through = await connect(POLICY, [FILESYSTEM, dir]);
    const names = async ({ client }: Connection): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);
    const all = await names(direct);
    expect(all).toContain('move_file');
    expect(await names(through)).toEqual(all.filter((name) => name !== 'move_file'));
    const tool = async (name: string): Promise<unknown> => (await direct.client.listTools()).tools.find((one) => one.name === name);
    expect((await through.client.listTools()).tools.find((one) => one.name === 'read_text_file')).toEqual(await tool('read_text_file'));

    const { client } = through;
    expect(textOf(await client.callTool({ name: 'read_text_file', arguments: { path: join(dir, 'a.txt') } }))).toBe('hello');
    expect(textOf(await client.callTool({ name: 'write_file', arguments: { path: join(dir, 'b.txt'), content: 'x' } }))).toContain('Successfully');
    // The tool has an output schema, and the client checks results against it: a denial must pass that check.
    const denied = await client.callTool({ name: 'write_file', arguments: { path: join(dir, 'b.sh'), content: 'x' } });
    expect([denied.isError, textOf(denied)]).toEqual([true, '[POLICY DENIED] Only notes may be written.']);
    const errorOf = async (name: string): Promise<string> => client.callTool({ name, arguments: {} }).then(() => 'none', (error: unknown) => String(error).replaceAll(name, 'NAME'));
    expect(await errorOf('move_file')).toBe(await errorOf('no_such_tool'));
    expect(await errorOf('move_file')).toContain('-32602');
  });
});

describe('server-everything', () => {
  it('lists, calls, reads, completes and samples as without us', async () => {
    const seen = await Promise.all(
      [null, 'version: "1"\n'].map(async (policy) => {
        const { client } = await connect(policy, [EVERYTHING, 'stdio']);
        const { resources } = await client.listResources();
        const { prompts } = await client.listPrompts();
        const uri = resources[0]?.uri ?? '';
        return {
          version: client.getServerVersion(),
          capabilities: client.getServerCapabilities(),
          tools: (await client.listTools()).tools,
          templates: await client.listResourceTemplates(),
          resources,
          prompts,
          read: (await client.readResource({ uri })).contents.map((one) => one.uri),
          prompt: await client.getPrompt({ name: prompts[0]?.name ?? '' }),
          echo: await client.callTool({ name: 'echo', arguments: { message: 'hi' } }),
          ping: await client.ping(),
          unknown: await client.callTool({ name: 'nothing', arguments: {} }).then((r) => r, (error: unknown) => String(error)),
        };
      }),
    );
    expect(seen[1]?.capabilities).toEqual({ ...seen[0]?.capabilities, tools: { listChanged: true }, prompts: { listChanged: true }, resources: { ...seen[0]?.capabilities?.resources, listChanged: true } });
    expect({ ...seen[1], capabilities: null }).toEqual({ ...seen[0], capabilities: null });
  });

  it('samples only where the policy lets it', async () => {
    const sample = async (policy: string): Promise<string> => {
      const { client } = await connect(policy, [EVERYTHING, 'stdio']);
      const { tools } = await client.listTools();
      const name = tools.find((tool) => /sampl/i.test(tool.name))?.name ?? '';
      return JSON.stringify(await client.callTool({ name, arguments: { prompt: 'p', maxTokens: 10 } }));
    };
    expect(await sample('version: "1"\n')).toContain('sampled');
    const denied = await sample('version: "1"\nmethods: { sampling/createMessage: deny }\n');
    expect(denied).not.toContain('sampled');
    expect(denied).toContain('[POLICY DENIED]');
  });

  it('tells the client when a policy swap changes the list, and the call in flight survives it [P5]', async () => {
    const { client, pid } = await connect('version: "1"\n', [EVERYTHING, 'stdio'], 'version: "1"\nhide: [echo]\n');
    const changed = new Promise<void>((resolve) => client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve()));
    const { tools } = await client.listTools();
    const long = tools.find((tool) => /long/i.test(tool.name))?.name ?? '';
    const inFlight = client.callTool({ name: long, arguments: { duration: 1, steps: 2 } });
    process.kill(pid(), 'SIGUSR2');
    await changed;
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(tools.map(({ name }) => name).filter((name) => name !== 'echo'));
    await expect(client.callTool({ name: 'echo', arguments: { message: 'x' } })).rejects.toThrow('Unknown tool: echo');
    expect((await inFlight).isError).not.toBe(true);
  });

  it('reports progress and stops on cancellation', async () => {
    const { client } = await connect('version: "1"\n', [EVERYTHING, 'stdio']);
    const long = (await client.listTools()).tools.find((tool) => /long/i.test(tool.name))?.name ?? '';
    let progress = 0;
    await client.callTool({ name: long, arguments: { duration: 0.3, steps: 3 } }, undefined, { onprogress: () => progress++ });
    expect(progress).toBeGreaterThan(0);
    const abort = new AbortController();
    const running = client.callTool({ name: long, arguments: { duration: 30, steps: 3 } }, undefined, { signal: abort.signal });
    setTimeout(() => abort.abort('enough'), 50);
    await expect(running).rejects.toThrow();
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'still here' } }))).toContain('still here');
  });
});
