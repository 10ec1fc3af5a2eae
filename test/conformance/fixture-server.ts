/**
 * The server that the official conformance suite asks for: every tool, resource and prompt that its scenarios name, in both eras,
 * on the official SDK. What it says is fixed by the scenarios; how it is reached is for fixture-http.ts and fixture-stdio.ts.
 */
import { randomBytes } from 'node:crypto';
import { acceptedContent, CLIENT_CAPABILITIES_META_KEY, createRequestStateCodec, fromJsonSchema, inputRequired, McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import type { CallToolResult, InputRequests, InputRequiredResult, ServerContext } from '@modelcontextprotocol/server';

/** What depends on how the server is reached. */
export interface Surroundings {
  /** Breaks the answer to this request off, so that the client comes back for it. */
  breakOff(context: ServerContext): void;
  toolsChanged(): void;
  promptsChanged(): void;
}

type Answer = CallToolResult | InputRequiredResult;
type Run = (args: Readonly<Record<string, unknown>>, context: ServerContext) => Answer | Promise<Answer>;

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const SILENCE = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';
/** Rounds of one exchange may be served by different instances, so what goes through the client is sealed. */
const states = createRequestStateCodec<Readonly<Record<string, unknown>>>({ key: process.env['FIXTURE_STATE_KEY'] ?? randomBytes(32) });

export function createFixtureServer(surroundings: Surroundings): McpServer {
  const server = new McpServer(
    { name: 'conformance-fixture', version: '1.0.0' },
    {
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true }, prompts: { listChanged: true }, logging: {}, completions: {} },
      requestState: { verify: states.verify },
    },
  );
  for (const [name, run] of Object.entries({ ...plainTools(), ...askingTools(), ...roundTripTools(), ...surroundingTools(surroundings) })) {
    server.registerTool(name, { description: name.replaceAll('_', ' '), inputSchema: fromJsonSchema<Record<string, unknown>>(SCHEMAS[name] ?? NO_ARGUMENTS) }, run);
  }
  addResources(server);
  addPrompts(server);
  server.server.setRequestHandler('resources/subscribe', () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', () => ({}));
  server.server.setRequestHandler('logging/setLevel', () => ({}));
  server.server.setRequestHandler('completion/complete', () => ({ completion: { values: [], total: 0, hasMore: false } }));
  return server;
}

/* Tools */

const NO_ARGUMENTS = { type: 'object', properties: {} } as const;

const SCHEMAS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  test_x_mcp_header: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, level: { type: 'integer' } } },
  test_sampling: { type: 'object', properties: { prompt: { type: 'string' } }, required: ['prompt'] },
  test_elicitation: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] },
  json_schema_2020_12_tool: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
    properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' }, contactMethod: { type: 'string', enum: ['phone', 'email'] }, phone: { type: 'string' }, email: { type: 'string' } },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    then: { required: ['phone'] },
    else: { required: ['email'] },
    additionalProperties: false,
  },
};

function said(text: string): CallToolResult {
  return { content: [{ type: 'text', text }] };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function plainTools(): Record<string, Run> {
  return {
    test_simple_text: () => said('This is a simple text response for testing.'),
    test_image_content: () => ({ content: [{ type: 'image', data: PIXEL, mimeType: 'image/png' }] }),
    test_audio_content: () => ({ content: [{ type: 'audio', data: SILENCE, mimeType: 'audio/wav' }] }),
    test_embedded_resource: () => ({ content: [{ type: 'resource', resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource content.' } }] }),
    test_multiple_content_types: () => ({
      content: [
        { type: 'text', text: 'Multiple content types test:' },
        { type: 'image', data: PIXEL, mimeType: 'image/png' },
        { type: 'resource', resource: { uri: 'test://mixed-content-resource', mimeType: 'application/json', text: '{"test":"data","value":123}' } },
      ],
    }),
    test_error_handling: () => {
      throw new Error('This tool intentionally returns an error for testing');
    },
    test_x_mcp_header: (args) => said(`region=${String(args['region'])}`),
    json_schema_2020_12_tool: (args) => said(JSON.stringify(args)),
    test_streaming_elicitation: () => said('a result, and no request before it'),
    test_logging_tool: async (_args, { mcpReq }) => {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- that nothing is logged unasked is what the scenario looks for
      await mcpReq.log('info', 'only for requests that ask for logs');
      return said('logged');
    },
    test_tool_with_logging: async (_args, { mcpReq }) => {
      for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
        await mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } });
        await pause(50);
      }
      return said('Tool with logging executed successfully');
    },
    test_tool_with_progress: async (_args, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      if (progressToken !== undefined) {
        for (const progress of [0, 50, 100]) {
          await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100, message: `Completed step ${progress} of 100` } });
          await pause(50);
        }
      }
      return said(String(progressToken ?? 'no-progress-token'));
    },
  };
}

/** Up to 2025-11-25 a tool asks by requests of its own. */
function askingTools(): Record<string, Run> {
  const elicit = async ({ mcpReq }: ServerContext, message: string, requestedSchema: object): Promise<CallToolResult> => {
    const { action, content } = (await mcpReq.send({ method: 'elicitation/create', params: { message, requestedSchema } })) as { readonly action?: string; readonly content?: unknown };
    return said(`Elicitation completed: action=${String(action)}, content=${JSON.stringify(content ?? {})}`);
  };
  return {
    test_sampling: async ({ prompt }, { mcpReq }) => {
      const { content } = (await mcpReq.send({ method: 'sampling/createMessage', params: { messages: [{ role: 'user', content: { type: 'text', text: String(prompt) } }], maxTokens: 100 } })) as { readonly content?: { readonly text?: string } };
      return said(`LLM response: ${content?.text ?? 'none'}`);
    },
    test_elicitation: ({ message }, context) => elicit(context, String(message), { type: 'object', properties: { response: { type: 'string', description: "User's response" } }, required: ['response'] }),
    test_elicitation_sep1034_defaults: (_args, context) =>
      elicit(context, 'Please review and update the form fields with defaults', {
        type: 'object',
        properties: {
          name: { type: 'string', description: 'User name', default: 'John Doe' },
          age: { type: 'integer', description: 'User age', default: 30 },
          score: { type: 'number', description: 'User score', default: 95.5 },
          status: { type: 'string', description: 'User status', enum: ['active', 'inactive', 'pending'], default: 'active' },
          verified: { type: 'boolean', description: 'Verification status', default: true },
        },
        required: [],
      }),
    test_elicitation_sep1330_enums: (_args, context) => {
      const options = ['option1', 'option2', 'option3'];
      const titled = (prefix: string): object[] => ['First', 'Second', 'Third'].map((title, at) => ({ const: `value${at + 1}`, title: `${title} ${prefix}` }));
      return elicit(context, 'Please select options from the enum fields', {
        type: 'object',
        properties: {
          untitledSingle: { type: 'string', enum: options },
          titledSingle: { type: 'string', oneOf: titled('Option') },
          legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
          untitledMulti: { type: 'array', minItems: 1, maxItems: 3, items: { type: 'string', enum: options } },
          titledMulti: { type: 'array', minItems: 1, maxItems: 3, items: { anyOf: titled('Choice') } },
        },
        required: [],
      });
    },
  };
}

const askName = (message: string): ReturnType<typeof inputRequired.elicit> => inputRequired.elicit({ message, requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } });
const askLlm = (text: string): ReturnType<typeof inputRequired.createMessage> => inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens: 100 });
const askOk = (): ReturnType<typeof inputRequired.elicit> => inputRequired.elicit({ message: 'Please confirm', requestedSchema: { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] } });

/** Since 2026-07-28 a tool asks in its result, and is called again with the answers. */
function roundTripTools(): Record<string, Run> {
  const response = ({ mcpReq }: ServerContext, key: string): Readonly<Record<string, unknown>> | undefined => mcpReq.inputResponses?.[key] as Readonly<Record<string, unknown>> | undefined;
  const accepted = ({ mcpReq }: ServerContext, key: string): Readonly<Record<string, unknown>> | undefined => acceptedContent(mcpReq.inputResponses, key);
  const nonce = (): string => randomBytes(8).toString('hex');
  return {
    test_missing_capability: (_args, context) => (response(context, 'llm_answer') === undefined ? inputRequired({ inputRequests: { llm_answer: askLlm('Reply with the single word: pong') } }) : said('sampled')),
    test_input_required_result_elicitation: (_args, context) => {
      const name = accepted(context, 'user_name')?.['name'];
      return typeof name === 'string' ? said(`Hello, ${name}!`) : inputRequired({ inputRequests: { user_name: askName('What is your name?') } });
    },
    test_input_required_result_sampling: (_args, context) => {
      const answer = response(context, 'capital_question');
      return answer === undefined ? inputRequired({ inputRequests: { capital_question: askLlm('What is the capital of France?') } }) : said(`Sampling response: ${JSON.stringify(answer['content'])}`);
    },
    test_input_required_result_list_roots: (_args, context) => {
      const roots = response(context, 'client_roots')?.['roots'];
      return Array.isArray(roots) ? said(`Client exposed ${roots.length} root(s): ${JSON.stringify(roots)}`) : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    },
    test_input_required_result_request_state: async (_args, context) =>
      accepted(context, 'confirm') === undefined
        ? inputRequired({ inputRequests: { confirm: askOk() }, requestState: await states.mint({ nonce: nonce() }) })
        : said(context.mcpReq.requestState() === undefined ? 'no state' : 'state-ok: requestState verified and confirmation received'),
    test_input_required_result_multiple_inputs: async (_args, context) => {
      const [name, greeting, roots] = [accepted(context, 'user_name')?.['name'], response(context, 'greeting')?.['content'], response(context, 'client_roots')?.['roots']];
      if (typeof name === 'string' && greeting !== undefined && Array.isArray(roots)) return said(`${JSON.stringify(greeting)} ${name}: ${roots.length} root(s)`);
      return inputRequired({ inputRequests: { user_name: askName('What is your name?'), greeting: askLlm('Generate a greeting'), client_roots: inputRequired.listRoots() }, requestState: await states.mint({ nonce: nonce() }) });
    },
    test_input_required_result_multi_round: async (_args, context) => {
      const state = context.mcpReq.requestState<Readonly<Record<string, unknown>>>();
      const round = typeof state?.['round'] === 'number' ? state['round'] : 0;
      if (round === 0) return inputRequired({ inputRequests: { step1: askName('Step 1: What is your name?') }, requestState: await states.mint({ round: 1, nonce: nonce() }) });
      if (round === 1) {
        const color = inputRequired.elicit({ message: 'Step 2: What is your favorite color?', requestedSchema: { type: 'object', properties: { color: { type: 'string' } }, required: ['color'] } });
        return inputRequired({ inputRequests: { step2: color }, requestState: await states.mint({ round: 2, name: accepted(context, 'step1')?.['name'] ?? 'unknown', nonce: nonce() }) });
      }
      return said(`Multi-round complete: ${String(state?.['name'])} likes ${String(accepted(context, 'step2')?.['color'])}`);
    },
    test_input_required_result_tampered_state: async (_args, context) =>
      context.mcpReq.requestState() !== undefined && accepted(context, 'confirm') !== undefined
        ? said('integrity-ok: requestState verified')
        : inputRequired({ inputRequests: { confirm: askOk() }, requestState: await states.mint({ nonce: nonce() }) }),
    test_input_required_result_capabilities: (_args, { mcpReq }) => {
      if (mcpReq.inputResponses !== undefined) return said('fulfilled');
      const declared = (mcpReq.envelope as Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined)?.[CLIENT_CAPABILITIES_META_KEY];
      const inputRequests: InputRequests = {};
      if (declared?.['elicitation'] !== undefined) inputRequests['user_name'] = askName('What is your name?');
      if (declared?.['sampling'] !== undefined) inputRequests['greeting'] = askLlm('Generate a short greeting');
      if (declared?.['roots'] !== undefined) inputRequests['client_roots'] = inputRequired.listRoots();
      return Object.keys(inputRequests).length === 0 ? said('nothing can be asked') : inputRequired({ inputRequests });
    },
  };
}

function surroundingTools(surroundings: Surroundings): Record<string, Run> {
  return {
    test_reconnection: async (_args, context) => {
      surroundings.breakOff(context);
      await pause(100);
      return said('Reconnection test completed successfully. If you received this, the client properly reconnected after stream closure.');
    },
    test_trigger_tool_change: () => {
      surroundings.toolsChanged();
      return said('published');
    },
    test_trigger_prompt_change: () => {
      surroundings.promptsChanged();
      return said('published');
    },
  };
}

/* Resources and prompts */

function addResources(server: McpServer): void {
  const fixed = [
    ['static-text', { mimeType: 'text/plain', text: 'This is the content of the static text resource.' }],
    ['static-binary', { mimeType: 'image/png', blob: PIXEL }],
    ['watched-resource', { mimeType: 'text/plain', text: 'Watched resource content' }],
  ] as const;
  for (const [name, content] of fixed) {
    const uri = `test://${name}`;
    server.registerResource(name, uri, { title: name, description: `${name} for testing`, mimeType: content.mimeType }, () => ({ contents: [{ uri, ...content }] }));
  }
  server.registerResource('template', new ResourceTemplate('test://template/{id}/data', { list: undefined }), { title: 'template', description: 'a template for testing', mimeType: 'application/json' }, (uri, { id }) => ({
    contents: [{ uri: uri.toString(), mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }) }],
  }));
}

function addPrompts(server: McpServer): void {
  const user = <Content,>(content: Content): { readonly role: 'user'; readonly content: Content } => ({ role: 'user', content });
  const text = (words: string) => user({ type: 'text' as const, text: words });
  const strings = (...names: string[]) => fromJsonSchema<Record<string, string>>({ type: 'object', properties: Object.fromEntries(names.map((name) => [name, { type: 'string', description: name }])), required: names });
  server.registerPrompt('test_simple_prompt', { title: 'simple', description: 'without arguments' }, () => ({ messages: [text('This is a simple prompt for testing.')] }));
  server.registerPrompt('test_prompt_with_arguments', { title: 'arguments', description: 'with required arguments', argsSchema: strings('arg1', 'arg2') }, ({ arg1, arg2 }) => ({ messages: [text(`Prompt with arguments: arg1='${String(arg1)}', arg2='${String(arg2)}'`)] }));
  server.registerPrompt('test_prompt_with_embedded_resource', { title: 'resource', description: 'with a resource', argsSchema: strings('resourceUri') }, ({ resourceUri }) => ({
    messages: [user({ type: 'resource' as const, resource: { uri: String(resourceUri), mimeType: 'text/plain', text: 'Embedded resource content for testing.' } }), text('Please process the embedded resource above.')],
  }));
  server.registerPrompt('test_prompt_with_image', { title: 'image', description: 'with an image' }, () => ({ messages: [user({ type: 'image' as const, data: PIXEL, mimeType: 'image/png' }), text('Please analyze the image above.')] }));
  server.registerPrompt('test_input_required_result_prompt', { title: 'asking', description: 'asks before it is made' }, (context) => {
    // Without arguments the context is all that a prompt is given; the types know the other form only.
    const { inputResponses } = (context).mcpReq;
    const wanted = acceptedContent<{ context: string }>(inputResponses, 'user_context')?.context;
    if (typeof wanted === 'string') return { messages: [text(`Use the following context: ${wanted}`)] };
    return inputRequired({ inputRequests: { user_context: inputRequired.elicit({ message: 'What context should the prompt use?', requestedSchema: { type: 'object', properties: { context: { type: 'string' } }, required: ['context'] } }) } });
  });
}
