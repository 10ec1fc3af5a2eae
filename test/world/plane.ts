/** A real control plane in a process of its own, and its operators' commands. */
import { mkdirSync, readFileSync, writeFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PORTCULLIS, run, start, until, type Finished, type Running } from './process.ts';

export interface PlaneProcess {
  readonly directory: string;
  readonly policies: string;
  readonly home: string;
  url(): string;
  running(): Running;
  /** Runs `portcullis …` as an operator on the plane's machine. */
  operate(...args: readonly string[]): Promise<Finished>;
  /** The same with `--json`, parsed; throws where the command fails. */
  ask(...args: readonly string[]): Promise<unknown>;
  /** Saves a policy the way careful editors do: a new file, renamed over the old one. */
  save(policy: string, text: string): void;
  kill9(): Promise<void>;
  startAgain(): Promise<void>;
  stop(): Promise<void>;
}

interface Discovery {
  readonly url: string;
  readonly pid: number;
}

export async function startPlane(directory: string, args: readonly string[] = []): Promise<PlaneProcess> {
  const policies = join(directory, 'policies');
  const home = join(directory, 'operator');
  const data = join(directory, 'data');
  for (const folder of [policies, home]) mkdirSync(folder, { recursive: true });
  let listen = '127.0.0.1:0';
  let url = '';
  let running: Running;

  const launch = async (): Promise<void> => {
    running = start(process.execPath, [PORTCULLIS, 'serve', '--policies', policies, '--data', data, '--listen', listen, ...args], { PORTCULLIS_HOME: home });
    const { pid } = running.child;
    url = await until('the plane to listen', async () => {
      if (running.child.exitCode !== null) throw new Error(`the plane ended at start:\n${running.output()}`);
      const found = readDiscovery(home);
      if (found === undefined || found.pid !== pid) return undefined;
      const answer = await fetch(`${found.url}/healthz`).catch(() => undefined);
      return answer?.ok === true ? found.url : undefined;
    }, 20_000);
    // A plane that is started again must be where its proxies look for it.
    listen = new URL(url).host;
  };
  await launch();

  const operate = (...words: readonly string[]): Promise<Finished> => run(process.execPath, [PORTCULLIS, ...words], { PORTCULLIS_HOME: home });
  return {
    directory,
    policies,
    home,
    url: () => url,
    running: () => running,
    operate,
    ask: async (...words) => {
      const done = await operate(...words, '--json');
      if (done.code !== 0) throw new Error(`portcullis ${words.join(' ')} ended with ${done.code}:\n${done.stdout}${done.stderr}`);
      return JSON.parse(done.stdout) as unknown;
    },
    save: (policy, text) => saveByRename(join(policies, policy), text),
    kill9: async () => {
      await running.stop('SIGKILL');
    },
    startAgain: launch,
    stop: async () => {
      await running.stop();
    },
  };
}

/** Temporary file beside the target, then rename: no reader ever sees half of it. */
export function saveByRename(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.${Math.random().toString(36).slice(2)}.tmp`);
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

function readDiscovery(home: string): Discovery | undefined {
  try {
    return JSON.parse(readFileSync(join(home, 'plane.json'), 'utf8')) as Discovery;
  } catch {
    return undefined;
  }
}
