import { describe, expect, it } from 'vitest';
import { claimOf, refusedServerName } from './claim.ts';

describe('the name of a server that was given none', () => {
  it.each([
    ['npx -y @modelcontextprotocol/server-filesystem /tmp', 'filesystem'],
    ['npx -y @modelcontextprotocol/server-filesystem@2026.8.31 /tmp', 'filesystem'],
    ['uvx mcp-server-git --repository /srv', 'git'],
    ['node /opt/node_modules/@modelcontextprotocol/server-memory/dist/index.js', 'memory'],
    ['/usr/local/bin/github-mcp-server stdio', 'github'],
    ['docker run -i --rm -e GITHUB_TOKEN=x ghcr.io/github/github-mcp-server', 'github'],
    ['python3 server.py', 'server'],
  ])('%s is %s', (line, name) => {
    expect(claimOf(line.split(' '), undefined).server).toBe(name);
  });

  it('never overrides the name that was given', () => {
    expect(claimOf(['npx', 'x'], 'files').server).toBe('files');
  });
});

describe('what the plane is told of the command', () => {
  it.each([
    ['server --api-key hunter2 --verbose', 'server --api-key *** --verbose'],
    ['server --token=hunter2', 'server --token=***'],
    ['env GITHUB_PERSONAL_ACCESS_TOKEN=hunter2 server', 'env GITHUB_PERSONAL_ACCESS_TOKEN=*** server'],
    ['server-postgres postgres://app:hunter2@db.internal/orders', 'server-postgres postgres://***@db.internal/orders'],
    ['server https://mcp.example.com/sse?key=hunter2', 'server https://mcp.example.com/sse?***'],
    ['server sk-live-abcdefghijklmnop', 'server ***'],
    ['server Authorization:Bearer-hunter2', 'server Authorization:***'],
  ])('[W8] %s is shown as %s', (line, shown) => {
    expect(claimOf(line.split(' '), 's').shown).toBe(shown);
    expect(claimOf(line.split(' '), 's').upstream).toBe(line);
  });

  it('is bounded and has no control characters', () => {
    const { shown } = claimOf(['server', `\u001b[31m${'x'.repeat(10_000)}`], 's');
    expect(shown.length).toBeLessThanOrEqual(512);
    expect(shown).not.toContain('\u001b');
  });
});

describe('a server name', () => {
  it.each(['files', 'github-prod', 'team.a', 'acme/files'])('may be %s', (name) => expect(refusedServerName(name)).toBeNull());
  it.each(['', 'r\u0435c', '../x', 'a//b', 'a\nb', '*', '-x', 'x'.repeat(101), 'a b'])('may not be %j', (name) => expect(refusedServerName(name)).not.toBeNull());
});
