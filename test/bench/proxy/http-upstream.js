/** The server behind every path over Streamable HTTP: no SDK, answers in JSON. `node http-upstream.js PORT` */
import { createServer } from 'node:http';
import process from 'node:process';
import { resultOf } from './answers.js';

createServer((request, response) => {
  if (request.method !== 'POST') return response.writeHead(request.method === 'DELETE' ? 200 : 405).end();
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString());
    if (id === undefined) return response.writeHead(202).end();
    const session = method === 'initialize' ? { 'mcp-session-id': `s${process.hrtime.bigint()}` } : {};
    response.writeHead(200, { 'content-type': 'application/json', ...session }).end(JSON.stringify({ jsonrpc: '2.0', id, result: resultOf(method, params) }));
  });
}).listen(Number(process.argv.at(-1)), '127.0.0.1');
