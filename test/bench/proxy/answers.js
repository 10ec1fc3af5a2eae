/** What both servers of the benchmark answer. `big` gives as many bytes as it is asked for. */
export function resultOf(method, params) {
  if (method === 'initialize') return { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'bench', version: '1' } };
  if (method === 'tools/list') return { tools: ['echo', 'big'].map((name) => ({ name, inputSchema: { type: 'object' } })) };
  if (params?.name === 'big') return { content: [{ type: 'text', text: 'x'.repeat(params.arguments.bytes) }] };
  return { content: [{ type: 'text', text: params?.arguments?.text ?? '' }] };
}
