/** One path from the benchmark to the upstream server: a process that is talked to without any SDK, over stdio or Streamable HTTP. */
import { Agent, request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cleanEnvironment } from '../../world/process.ts';

export interface PathCommand {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface OpenPath {
  readonly name: string;
  /** Calls a tool and resolves when its whole answer is there; rejects where it is no result. */
  call(tool: string, args: Readonly<Record<string, unknown>>): Promise<void>;
  /** Processor time of the path's first process, in microseconds; its children's is theirs. */
  cpuUs(): number;
  rssMb(): number;
  close(): Promise<void>;
}

const LINE_FEED = 10;
/** The server echoes this much: a small call as agents make them. */
export const SMALL = 'a small argument of some forty characters';
const INITIALIZE = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'bench', version: '1' } };

export type Opened = Promise<{ readonly path: OpenPath; readonly startMs: number }>;

/** Starts the path; resolves with the answer to `initialize`, which took `startMs` from the start of the process. */
export async function openPath({ name, command: [program = '', ...args], env }: PathCommand): Opened {
  const startedAt = performance.now();
  const child = spawn(program, args, { env: cleanEnvironment(env), stdio: ['pipe', 'pipe', 'ignore'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} does not start`);
  const ask = asker(child);
  await ask('initialize', INITIALIZE);
  const startMs = performance.now() - startedAt;
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);
  return { path: pathOf(name, child, pid, ask, () => child.stdin.end()), startMs };
}

/** The same over HTTP: `{port}` in the command is where it is to listen. */
export async function openHttpPath({ name, command, env }: PathCommand): Promise<Awaited<Opened> & { readonly port: number }> {
  const port = await freePort();
  const [program = '', ...args] = command.map((word) => word.replace('{port}', String(port)));
  const startedAt = performance.now();
  const child = spawn(program, args, { env: cleanEnvironment(env), stdio: ['ignore', 'ignore', 'ignore'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} does not start`);
  const ask = httpAsker(port);
  while (!(await ask('initialize', INITIALIZE).then(() => true, () => false))) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return { path: pathOf(name, child, pid, ask, () => child.kill('SIGTERM')), startMs: performance.now() - startedAt, port };
}

type Ask = (method: string, params: unknown) => Promise<void>;

function pathOf(name: string, child: ChildProcess, pid: number, ask: Ask, end: () => unknown): OpenPath {
  return {
    name,
    call: (tool, given) => ask('tools/call', { name: tool, arguments: given }),
    cpuUs: () => cpuOf(pid),
    rssMb: () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
    close: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      end();
      await gone;
    },
  };
}

/** A port that nobody has just now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function httpAsker(port: number): Ask {
  const agent = new Agent({ keepAlive: true });
  let session: string | null = null;
  let next = 0;
  return (method, params) =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-protocol-version': INITIALIZE.protocolVersion, ...(session === null ? {} : { 'mcp-session-id': session }) };
      const asked = request({ agent, host: '127.0.0.1', port, path: '/mcp', method: 'POST', headers }, (answer) => {
        const given = answer.headers['mcp-session-id'];
        if (method === 'initialize' && typeof given === 'string') session = given;
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const body = Buffer.concat(chunks);
          if (answer.statusCode !== 200 || body.includes('"isError":true') || body.includes('"error":')) reject(new Error(`${answer.statusCode}: ${body.toString('utf8', 0, 500)}`));
          else resolve();
        });
      });
      asked.on('error', reject);
      asked.end(JSON.stringify({ jsonrpc: '2.0', id: next++, method, params }));
    });
}

function asker(child: ChildProcess): Ask {
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  const waiting = new Map<number, { readonly resolve: () => void; readonly reject: (error: Error) => void }>();
  let next = 0;
  let held: Buffer[] = [];
  const take = (line: Buffer): void => {
    // Everybody on the path writes the id near the beginning, before or after "result"; a long line is not parsed.
    const head = line.toString('latin1', 0, 64);
    const tail = line.toString('latin1', Math.max(0, line.length - 64));
    const id = Number(/"id":(\d+)/.exec(head)?.[1] ?? /"id":(\d+)/.exec(tail)?.[1]);
    const asked = waiting.get(id);
    waiting.delete(id);
    if (line.includes('"isError":true') || line.includes('"error":')) asked?.reject(new Error(line.toString('utf8', 0, 500)));
    else asked?.resolve();
  };
  stdout.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let feed = chunk.indexOf(LINE_FEED); feed >= 0; feed = chunk.indexOf(LINE_FEED, start)) {
      const piece = chunk.subarray(start, feed);
      take(held.length === 0 ? piece : Buffer.concat([...held, piece]));
      held = [];
      start = feed + 1;
    }
    if (start < chunk.length) held.push(chunk.subarray(start));
  });
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the path ended with ${code ?? 'a signal'}`));
  });
  return (method, params) =>
    new Promise((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    });
}

/** Time on a processor of all threads, to the nanosecond (Linux). */
function cpuOf(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks.reduce((sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]), 0) / 1000;
}
