/** Operators' commands against the API of an open world, over a real socket, as an operator with a token runs them. */
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { createHttpServer, listen } from '../../apps/control-plane/src/api/listen.ts';
import { run } from '../../apps/control-plane/src/cli/program.ts';
import type { Terminal } from '../../apps/control-plane/src/cli/terminal.ts';
import type { Role } from '../../apps/control-plane/src/domain/events.ts';
import type { ApiWorld } from './open-api.ts';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Operators {
  readonly url: string;
  /** Runs `portcullis …` with the token of a role; `terminal` replaces parts of what it runs in. */
  operate(role: Role, args: readonly string[], terminal?: Partial<Terminal>): Promise<Said>;
  /** The plane goes away, with every connection, or is back under the same address. */
  away(): Promise<void>;
  back(): Promise<void>;
  close(): Promise<void>;
}

export async function operators(world: ApiWorld): Promise<Operators> {
  let port = 0;
  const serve = async () => {
    const http = createHttpServer(null);
    http.open(world.api);
    const listened = await listen(http.server, 'localhost', port);
    if (!listened.ok) throw new Error(listened.problem);
    ({ port } = http.server.address() as AddressInfo);
    return async () => {
      http.server.closeAllConnections();
      await listened.listening.close();
    };
  };
  let stop = await serve();
  const url = `http://localhost:${port}`;
  return {
    url,
    away: () => stop(),
    back: async () => {
      stop = await serve();
    },
    operate: async (role, args, changes = {}) => {
      const out: string[] = [];
      const err: string[] = [];
      const terminal: Terminal = {
        out: (text) => void out.push(text), err: (text) => void err.push(text), progress: () => undefined, input: Readable.from([]), cwd: '/', interactive: false,
        env: { PORTCULLIS_HOME: '/nowhere', PORTCULLIS_URL: url, PORTCULLIS_TOKEN: world.tokens[role] }, now: () => world.now, signal: new AbortController().signal, ...changes,
      };
      return { code: await run(args, terminal), out: out.join('\n'), err: err.join('\n') };
    },
    close: () => stop(),
  };
}
