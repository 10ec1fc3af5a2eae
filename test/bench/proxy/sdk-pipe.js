/** What a proxy of the official SDK's transports costs: parsed, checked and written again on both ways. `node sdk-pipe.js COMMAND ARG …` */
import process from 'node:process';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';

const [command, ...args] = process.argv.slice(2);
const upstream = new StdioClientTransport({ command, args, stderr: 'inherit' });
const agent = new StdioServerTransport();
agent.onmessage = (message) => void upstream.send(message);
upstream.onmessage = (message) => void agent.send(message);
upstream.onclose = () => process.exit(0);
process.stdin.on('end', () => void upstream.close());
await upstream.start();
await agent.start();
