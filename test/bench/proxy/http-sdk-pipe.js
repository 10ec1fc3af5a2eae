/** A proxy of the official SDK's transports over HTTP, for one session. `node http-sdk-pipe.js UPSTREAM_PORT PORT` */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import process from 'node:process';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

const [upstreamPort, port] = process.argv.slice(-2).map(Number);
const upstream = new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${upstreamPort}/mcp`));
const agent = new StreamableHTTPServerTransport({ sessionIdGenerator: () => randomUUID(), enableJsonResponse: true });
agent.onmessage = (message) => void upstream.send(message);
upstream.onmessage = (message) => void agent.send(message);
await upstream.start();
await agent.start();
createServer((request, response) => void agent.handleRequest(request, response)).listen(port, '127.0.0.1');
