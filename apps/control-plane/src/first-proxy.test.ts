import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePolicy } from '@portcullis/policy-core';
import type { Policy } from '@portcullis/policy-core';
import { FIRST_POLICY, firstProxyLines } from './first-proxy.ts';

function policy(id: string, text = ''): Policy {
  const parsed = parsePolicy({ id, bytes: Buffer.from(`version: "1"\n${text}`) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.policy;
}

const lines = (policies: readonly Policy[], home?: string): readonly string[] => firstProxyLines({ policies, directory: '/etc/policies', cwd: '/home/ada', userHome: '/home/ada', home });
const serverIn = (policies: readonly Policy[]): string | undefined => /--server (\S+)/.exec(lines(policies).join('\n'))?.[1];

describe('the first proxy', () => {
  it.each([
    ['the filesystem, where a policy is about it', [policy('github.yaml'), policy('filesystem.yaml')], 'filesystem'],
    ['the filesystem, where a glob is about it', [policy('all.yaml', 'match: { server: "file*" }\n')], 'filesystem'],
    ['the server of the only policy', [policy('team/github.yaml')], 'github'],
    ['no server of a guard', [policy('a-guard.yaml', 'match: { server: "*" }\n'), policy('github.yaml')], 'github'],
    ['a server that is named rather than the stem', [policy('team.yaml', 'match: { server: ["git*", "gitlab"] }\n')], 'gitlab'],
    ['what is left of a glob', [policy('team.yaml', 'match: { server: "git?-*" }\n')], 'gitx-'],
    ['a server that no label keeps out', [policy('filesystem.yaml', 'match: { labels: { env: prod } }\n'), policy('github.yaml')], 'github'],
  ])('wraps %s', (_what, policies, server) => {
    expect(serverIn(policies)).toBe(server);
    expect(lines(policies)).toHaveLength(3);
  });

  it.each([
    ['there is no policy', []],
    ['there are guards only', [policy('guard.yaml', 'match: { server: "*" }\n')]],
    ['each wants a label', [policy('github.yaml', 'match: { labels: { env: prod } }\n')]],
  ])('comes after a policy where %s', (_what, policies) => {
    const text = lines(policies).join('\n');
    expect(text).toContain('No policy here admits a server');
    expect(text).toContain('/etc/policies/filesystem.yaml');
    const first = policy('filesystem.yaml', FIRST_POLICY.slice(1).join('\n'));
    expect(text).toContain(FIRST_POLICY.map((line) => `    ${line}`).join('\n'));
    expect(serverIn([first])).toBe('filesystem');
    expect(serverIn(policies)).toBe('filesystem');
  });

  it('joins by name where npx finds the program, and is wrapped by its path, since agents start it from anywhere', () => {
    const [, join, wrap] = firstProxyLines({ policies: [policy('filesystem.yaml')], directory: '/etc/policies', cwd: path.resolve(import.meta.dirname, '../..'), userHome: '/home/ada', home: undefined });
    expect(join).toBe('  npx --no portcullis-proxy join --local');
    expect(wrap).toMatch(/^ {2}mkdir -p \/home\/ada\/portcullis-project && node \/.*\/bin\/portcullis-proxy\.js --server filesystem -- npx -y @modelcontextprotocol\/server-filesystem \/home\/ada\/portcullis-project$/);
  });

  it('is given the home of the plane', () => {
    for (const line of lines([], '/tmp/my home').slice(-2)) expect(line).toMatch(/^ {2}(?:mkdir -p \S+ && )?PORTCULLIS_HOME='\/tmp\/my home' node /);
    expect(lines([]).join('\n')).not.toContain('PORTCULLIS_HOME');
  });
});
