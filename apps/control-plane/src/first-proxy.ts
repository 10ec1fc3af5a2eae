/** What to paste for a first proxy, once it is known what the policy directory admits: a proxy that no policy admits would deny every call. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { compileGlob, isExact } from '@portcullis/policy-core';
import type { Policy } from '@portcullis/policy-core';

/** A real server that anybody may run, whose package is known. */
const EXAMPLE = 'filesystem';

export interface FirstProxy {
  readonly policies: Iterable<Policy>;
  /** The policy directory. */
  readonly directory: string;
  readonly cwd: string;
  /** Of whoever started the plane. */
  readonly userHome: string;
  /** PORTCULLIS_HOME, where the plane was given one: the proxy must be given the same. */
  readonly home: string | undefined;
}

/** The lines: this machine joins, a first server is wrapped, and before that a policy where none admits any. */
export function firstProxyLines({ policies, directory, cwd, userHome, home }: FirstProxy): readonly string[] {
  const admitting = [...policies].filter(({ admits }) => admits);
  const server = admitting.some((policy) => names(policy, EXAMPLE)) ? EXAMPLE : admitting.map(nameIn).find((name) => name !== '');
  const given = home === undefined || home === '' ? '' : `PORTCULLIS_HOME=${quoted(home)} `;
  const isExample = server === undefined || server === EXAMPLE;
  // A directory of its own: the one that this runs in may hold the policies, which no agent should edit.
  const project = quoted(path.join(userHome, 'portcullis-project'));
  const command = isExample ? `npx -y @modelcontextprotocol/server-filesystem ${project}` : 'COMMAND ARGS…';
  return [
    'No host has joined yet. To guard a first MCP server on this machine:',
    ...(server === undefined ? [`  No policy here admits a server, so every call would be denied. Save one first, as ${path.join(directory, `${EXAMPLE}.yaml`)}:`, ...FIRST_POLICY.map((line) => `    ${line}`)] : []),
    `  ${given}${isFoundFrom(cwd) ? NAMED : proxyProgram()} join --local`,
    // Agents start it from anywhere, so that only the whole path will do.
    `  ${isExample ? `mkdir -p ${project} && ` : ''}${given}${proxyProgram()} --server ${quoted(server ?? EXAMPLE)} -- ${command}`,
  ];
}

/** Reading is allowed, the rest is not. */
export const FIRST_POLICY = ['version: "1"', 'default: deny', 'tools: { "read_*": {}, "list_*": {}, "search_files": {} }'];

/** Whether the policy is about this server on a host that has no labels yet. */
function names({ match }: Policy, server: string): boolean {
  return Object.keys(match.labels).length === 0 && match.server.some((glob) => compileGlob(glob)(server));
}

/** A server that the policy is about: the first it names, or what its first glob says without its stars. Empty where it can say none. */
function nameIn(policy: Policy): string {
  const glob = policy.match.server.find(isExact) ?? policy.match.server[0] ?? '';
  const name = glob.replaceAll('*', '').replaceAll('?', 'x');
  return names(policy, name) ? name : '';
}

const NAMED = 'npx --no portcullis-proxy';

/** Whether npx finds the program here, without fetching anything. */
function isFoundFrom(cwd: string): boolean {
  for (let folder = path.resolve(cwd); ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'node_modules/.bin/portcullis-proxy'))) return true;
    if (folder === path.dirname(folder)) return false;
  }
}

function proxyProgram(): string {
  const beside = path.resolve(import.meta.dirname, '../../proxy/bin/portcullis-proxy.js');
  return existsSync(beside) ? `node ${quoted(beside)}` : NAMED;
}

function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
