/**
 * Built beside bridge-program.mjs (suite.ts). The client that the conformance suite asks for, over HTTP or, with `through` before the URL, over stdio with the bridge in between.
 * Each scenario names what a client must do; what it must not do is for the suite to see.
 */
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Transport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

type Scenario = (client: Client) => Promise<void>;

interface Setup {
  readonly run: Scenario;
  readonly capabilities?: object;
  /** The scenario's server speaks 2026-07-28 without being able to say so. */
  readonly discoverHere?: boolean;
  readonly modern?: boolean;
}

const listOnly: Scenario = async (client) => void (await client.listTools());

async function callIfThere(client: Client, name: string, args: Record<string, unknown> = {}): Promise<void> {
  const { tools } = await client.listTools();
  if (!tools.some((tool) => tool.name === name)) throw new Error(`the server has no ${name}`);
  await client.callTool({ name, arguments: args });
}

const SCENARIOS: Readonly<Record<string, Setup>> = {
  'initialize': { run: listOnly },
  'tools_call': { run: (client) => callIfThere(client, 'add_numbers', { a: 5, b: 3 }) },
  'sse-retry': { run: (client) => callIfThere(client, 'test_reconnection') },
  'json-schema-ref-no-deref': { run: listOnly },
  'request-metadata': { run: () => Promise.resolve(), capabilities: { roots: { listChanged: true }, sampling: {}, elicitation: {} }, modern: true },
  'elicitation-sep1034-client-defaults': {
    capabilities: { elicitation: { form: { applyDefaults: true } } },
    run: (client) => {
      client.setRequestHandler('elicitation/create', () => ({ action: 'accept' as const, content: {} }));
      return callIfThere(client, 'test_client_elicitation_defaults');
    },
  },
  'json-schema-2020-12-preservation': {
    run: async (client) => {
      const { tools } = await client.listTools();
      const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema;
      await client.callTool({ name: 'json_schema_echo', arguments: { schema } });
    },
  },
  'http-standard-headers': {
    modern: true,
    discoverHere: true,
    run: async (client) => {
      const [tool] = (await client.listTools()).tools;
      if (tool !== undefined) await client.callTool({ name: tool.name, arguments: {} });
      const [resource] = (await client.listResources()).resources;
      if (resource !== undefined) await client.readResource({ uri: resource.uri });
      const [prompt] = (await client.listPrompts()).prompts;
      if (prompt !== undefined) await client.getPrompt({ name: prompt.name, arguments: {} });
    },
  },
  'http-custom-headers': {
    modern: true,
    discoverHere: true,
    run: async (client) => {
      await client.listTools();
      const { toolCalls = [] } = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as { readonly toolCalls?: readonly { readonly name: string; readonly arguments: Record<string, unknown> }[] };
      for (const call of toolCalls) await client.callTool(call);
    },
  },
  'http-invalid-tool-headers': {
    modern: true,
    discoverHere: true,
    run: async (client) => {
      for (const { name } of (await client.listTools()).tools) await client.callTool({ name, arguments: { region: 'us-west1' } }).catch(() => undefined);
    },
  },
  'sep-2322-client-request-state': {
    modern: true,
    discoverHere: true,
    capabilities: { elicitation: {} },
    run: async (client) => {
      client.setRequestHandler('elicitation/create', () => ({ action: 'accept' as const, content: { confirmed: true } }));
      for (const name of ['test_mrtr_echo_state', 'test_mrtr_no_state', 'test_mrtr_unrelated']) await client.callTool({ name, arguments: {} });
      // An answer that the revision does not allow; what counts is that it is not asked again.
      await client.callTool({ name: 'test_mrtr_no_result_type', arguments: {} }).catch(() => undefined);
    },
  },
};

/** Answers `server/discover` in the server's place, on whatever transport. */
function discoverHere(transport: Transport): Transport {
  const send = transport.send.bind(transport);
  transport.send = async (message, options) => {
    const { id, method } = message as { readonly id?: string | number; readonly method?: string };
    if (method !== 'server/discover' || id === undefined) return send(message, options);
    const result = { supportedVersions: ['2026-07-28'], capabilities: { tools: { listChanged: true }, resources: {}, prompts: {} }, serverInfo: { name: 'here', version: '1' }, resultType: 'complete', ttlMs: 0, cacheScope: 'private' };
    transport.onmessage?.({ jsonrpc: '2.0', id, result: { ...result, _meta: { 'io.modelcontextprotocol/serverInfo': result.serverInfo } } });
  };
  return transport;
}

function transportTo(url: string, through: boolean): Transport {
  if (!through) return new StreamableHTTPClientTransport(new URL(url));
  return new StdioClientTransport({ command: process.execPath, args: [join(import.meta.dirname, 'bridge-program.mjs'), url], stderr: 'inherit' });
}

const url = process.argv.at(-1) ?? '';
const name = process.env['MCP_CONFORMANCE_SCENARIO'] ?? '';
const setup = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined;
if (setup === undefined) throw new Error(`no such scenario: ${name}`);
const modern = setup.modern === true || process.env['MCP_CONFORMANCE_PROTOCOL_VERSION'] === '2026-07-28';
const client = new Client({ name: 'conformance-client', version: '1.0.0' }, { capabilities: setup.capabilities ?? {}, ...(modern ? { versionNegotiation: { mode: 'auto' as const } } : {}) });
const transport = transportTo(url, process.argv.includes('through'));
await client.connect(setup.discoverHere === true ? discoverHere(transport) : transport);
await setup.run(client);
await client.close();
process.exit(0);
