/** A host without a plane: a proxy process with `--policy` around a real server, for a real MCP client. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { saveByRename } from '../world/plane.ts';
import { cleanEnvironment, PORTCULLIS_PROXY, run } from '../world/process.ts';
import { FILESYSTEM_SERVER } from '../world/host.ts';

export interface AloneWorld {
  readonly directory: string;
  readonly home: string;
  readonly policies: string;
  save(policy: string, text: string): void;
  /** Starts a proxy for the server `files`, and a client. */
  start(policy?: string): Promise<AloneAgent>;
  status(): Promise<AloneStatus>;
  words(): Promise<string>;
  end(): Promise<void>;
}

export interface AloneAgent {
  call(tool: string, args: Readonly<Record<string, unknown>>): Promise<{ readonly denied: boolean; readonly text: string }>;
  tools(): Promise<readonly string[]>;
  readonly announcements: () => number;
  readonly stderr: () => string;
  close(): Promise<void>;
}

export interface AloneStatus {
  readonly alone: readonly { readonly server: string; readonly running: readonly { readonly pid: number; readonly alone: { readonly path: string; readonly policies: readonly string[]; readonly sinceMs: number | null; readonly lostSinceMs: number | null; readonly problems: readonly string[] } }[] }[];
}

export function aloneWorld(): AloneWorld {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-alone-'));
  const [home, policies] = [join(directory, 'home'), join(directory, 'policies')];
  for (const folder of [home, policies]) mkdirSync(folder);
  const agents: AloneAgent[] = [];
  const ask = (...words: readonly string[]) => run(process.execPath, [PORTCULLIS_PROXY, ...words], { PORTCULLIS_HOME: home });
  return {
    directory,
    home,
    policies,
    save: (policy, text) => saveByRename(join(policies, policy), text),
    start: async (policy = policies) => {
      const agent = await startAlone(directory, home, policy);
      agents.push(agent);
      return agent;
    },
    status: async () => JSON.parse((await ask('status', '--json')).stdout) as AloneStatus,
    words: async () => (await ask('status')).stdout,
    end: async () => {
      await Promise.all(agents.map((agent) => agent.close().catch(() => undefined)));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function startAlone(directory: string, home: string, policy: string): Promise<AloneAgent> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [PORTCULLIS_PROXY, '--server', 'files', '--policy', policy, '--', process.execPath, FILESYSTEM_SERVER, directory],
    env: Object.fromEntries(Object.entries(cleanEnvironment({ PORTCULLIS_HOME: home })).filter((entry): entry is [string, string] => entry[1] !== undefined)),
    stderr: 'pipe',
  });
  let said = '';
  transport.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const client = new Client({ name: 'agent', version: '1.0.0' });
  let announced = 0;
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void (announced += 1));
  await client.connect(transport);
  return {
    call: async (tool, args) => {
      const result = await client.callTool({ name: tool, arguments: { ...args } });
      const text = (result.content as readonly { readonly text?: string }[])[0]?.text ?? '';
      return { denied: result.isError === true && text.startsWith('[POLICY DENIED] '), text };
    },
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    announcements: () => announced,
    stderr: () => said,
    close: () => client.close(),
  };
}
