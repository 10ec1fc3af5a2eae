/** The server behind every path: no SDK, so that what is measured is the path. `big` answers with as many bytes as it is asked for. */
import process from 'node:process';

let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop() ?? '';
  let answers = '';
  for (const line of lines) if (line !== '') answers += answer(JSON.parse(line));
  if (answers !== '') process.stdout.write(answers);
});
process.stdin.on('end', () => process.exit(0));

function answer({ id, method, params }) {
  if (id === undefined) return '';
  return `${JSON.stringify({ jsonrpc: '2.0', id, result: resultOf(method, params) })}\n`;
}

function resultOf(method, params) {
  if (method === 'initialize') return { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'bench', version: '1' } };
  if (method === 'tools/list') return { tools: ['echo', 'big'].map((name) => ({ name, inputSchema: { type: 'object' } })) };
  if (params?.name === 'big') return { content: [{ type: 'text', text: 'x'.repeat(params.arguments.bytes) }] };
  return { content: [{ type: 'text', text: params?.arguments?.text ?? '' }] };
}
