/** The server behind every path over stdio: no SDK, so that what is measured is the path. */
import process from 'node:process';
import { resultOf } from './answers.js';

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
