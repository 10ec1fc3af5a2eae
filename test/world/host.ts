/** A pretended host: its own state directory, enrolled with the real command, running real proxies for real MCP clients. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import type { PlaneProcess } from './plane.ts';
import { cleanEnvironment, PORTCULLIS_PROXY, run } from './process.ts';

/** Real servers' programs, as installed with the tests: nothing is fetched at run time. */
export const FILESYSTEM_SERVER: string = installed('@modelcontextprotocol/server-filesystem');
export const EVERYTHING_SERVER: string = installed('@modelcontextprotocol/server-everything');

function installed(name: string): string {
  return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'dist/index.js');
}

export interface HostInWorld {
  readonly name: string;
  readonly home: string;
}

/** Enrols a host: an operator makes a join token, the host uses it. */
export async function enrolHost(plane: PlaneProcess, name: string, labels: Readonly<Record<string, string>>): Promise<HostInWorld> {
  const home = join(plane.directory, name);
  mkdirSync(home, { recursive: true });
  const flags = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
  const created = (await plane.ask('join-token', 'create', ...flags, '--ttl', '1h', '--as', 'admin')) as { readonly token: string };
  const tokenFile = join(home, 'join-token');
  writeFileSync(tokenFile, created.token, { mode: 0o600 });
  const joined = await run(process.execPath, [PORTCULLIS_PROXY, 'join', '--plane', plane.url(), '--token-file', tokenFile, '--name', name], { PORTCULLIS_HOME: home });
  rmSync(tokenFile, { force: true });
  if (joined.code !== 0) throw new Error(`${name} could not join:\n${joined.stdout}${joined.stderr}`);
  return { name, home };
}

export interface AgentInWorld {
  readonly client: Client;
  /** Text of the answer and whether the tool called it an error. */
  call(tool: string, args: Readonly<Record<string, unknown>>): Promise<{ readonly denied: boolean; readonly isError: boolean; readonly text: string }>;
  tools(): Promise<readonly string[]>;
  /** How often the proxy announced that the list of tools changed. */
  readonly announcements: () => number;
  readonly pid: () => number | null;
  close(): Promise<void>;
}

/** A real MCP client over a real proxy process around `command`. */
export async function startAgent(host: HostInWorld, server: string, command: readonly string[]): Promise<AgentInWorld> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [PORTCULLIS_PROXY, '--server', server, '--', ...command],
    env: Object.fromEntries(Object.entries(cleanEnvironment({ PORTCULLIS_HOME: host.home })).filter((entry): entry is [string, string] => entry[1] !== undefined)),
    stderr: 'pipe',
  });
  // Unread, a full pipe would stall the child.
  transport.stderr?.on('data', () => undefined);
  const client = new Client({ name: 'agent', version: '1.0.0' });
  let announced = 0;
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
    announced += 1;
  });
  await client.connect(transport);
  return {
    client,
    call: async (tool, args) => {
      const result = await client.callTool({ name: tool, arguments: { ...args } });
      const [first] = result.content as readonly { readonly type: string; readonly text?: string }[];
      const text = first?.text ?? '';
      return { denied: result.isError === true && text.startsWith('[POLICY DENIED] '), isError: result.isError === true, text };
    },
    tools: async () => (await client.listTools()).tools.map((tool) => tool.name),
    announcements: () => announced,
    pid: () => transport.pid,
    close: () => client.close(),
  };
}
