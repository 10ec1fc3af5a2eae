/** What `serve` says as it happens: one line per event, and for a refusal everything that its author needs to mend it. */
import type { Policy } from '@portcullis/policy-core';
import { defaultServer } from '@portcullis/policy-core';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { changes, happening } from './cli/happening.ts';
import { printable } from './cli/printable.ts';
import { problemLines } from './cli/problem-lines.ts';
import type { Recorded } from './domain/events.ts';

/** Problems printed for one refused document; `portcullis check` prints them all. */
const MAX_PROBLEMS = 20;

/** An event as lines for people. */
export function announcement(recorded: Recorded): readonly string[] {
  const { event, seq, reason } = recorded;
  switch (event.type) {
    case 'PolicySetPublished':
      return [said(recorded, `published version ${seq}: ${changes(event.changes)}${event.git === null ? '' : ` (commit ${event.git.commit.slice(0, 10)}, ${event.git.claimedAuthor}: ${event.git.subject})`}`)];
    case 'ChangeRefused': {
      const problems = event.problems.slice(0, MAX_PROBLEMS).flatMap(problemLines);
      const more = event.problems.length - MAX_PROBLEMS;
      return [...problems, ...(more > 0 ? [`… and ${more} more: portcullis check shows them all`] : []), said(recorded, `${event.why === 'removal' ? 'waiting' : 'refused'} ${event.message}`)];
    }
    case 'RestrictionImposed':
      return [said(recorded, `version ${seq}: restriction ${happening(recorded)}; reason: ${event.restriction.reason}`)];
    default:
      return [said(recorded, `${happening(recorded)}${reason === null ? '' : `; reason: ${reason}`}`)];
  }
}

function said({ atMs }: Recorded, text: string): string {
  return printable(`${new Date(atMs).toISOString().slice(11, 19)} ${text}`);
}

/** The two lines to paste for a first proxy: this machine joins, and a first server is wrapped. */
export function firstProxyLines(policies: Iterable<Policy>, cwd: string): readonly string[] {
  const program = proxyProgram();
  const servers = [...policies].filter((policy) => policy.admits).map(defaultServer);
  const server = servers.includes('filesystem') ? 'filesystem' : (servers[0] ?? 'filesystem');
  const command = server === 'filesystem' ? `npx -y @modelcontextprotocol/server-filesystem ${quoted(cwd)}` : 'COMMAND ARGS…';
  return ['No host has joined yet. To guard a first MCP server on this machine:', `  ${program} join --local`, `  ${program} --server ${quoted(server)} -- ${command}`];
}

function proxyProgram(): string {
  const beside = path.resolve(import.meta.dirname, '../../proxy/bin/portcullis-proxy.js');
  return existsSync(beside) ? `node ${quoted(beside)}` : 'npx --no portcullis-proxy';
}

function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
