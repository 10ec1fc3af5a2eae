import { describe, expect, it } from 'vitest';
import { readPlan } from './config.ts';

const env = { PORTCULLIS_HOME: '/home/x/.portcullis' };
const plan = (line: string) => readPlan(line.split(' ').filter((word) => word !== ''), env);

describe('the command line of portcullis-proxy', () => {
  it('takes everything after -- as the server, options and all', () => {
    expect(plan('--server files -- npx -y server --help -- x')).toMatchObject({ kind: 'wrap', upstream: { kind: 'child', command: 'npx', args: ['-y', 'server', '--help', '--', 'x'] }, claim: { server: 'files' } });
  });

  it('takes a URL instead, with headers whose secrets are in the environment', () => {
    const read = readPlan(['--upstream', 'https://mcp.linear.app/mcp?key=1', '--header', 'Authorization: Bearer ${TOKEN}', '--header', 'X-Team: a: b'], { ...env, TOKEN: 't0ken\n' });
    expect(read).toMatchObject({ kind: 'wrap', claim: { server: 'linear', upstream: 'https://mcp.linear.app', shown: 'https://mcp.linear.app' }, upstream: { kind: 'remote', target: { headers: { 'authorization': 'Bearer t0ken', 'x-team': 'a: b' } } } });
    expect(['http://localhost:3000/mcp', 'https://api.githubcopilot.com/mcp/', 'http://127.0.0.1:1/', 'https://example.com'].map((url) => {
      const made = plan(`--upstream ${url}`);
      return made.kind === 'wrap' ? made.claim.server : made.kind;
    })).toEqual(['server', 'githubcopilot', 'server', 'example']);
  });

  it('takes where to listen, and beyond loopback only with a name, and a token where it holds credentials', () => {
    expect(plan('--listen [::1]:8080 -- y')).toMatchObject({ kind: 'wrap', listen: { host: '::1', port: 8080, names: [], token: null } });
    expect(plan('--listen 10.0.0.5:80 --public-name gw.corp --upstream https://x')).toMatchObject({ kind: 'wrap', listen: { host: '10.0.0.5', names: ['gw.corp'] } });
    expect(readPlan(['--listen', '0.0.0.0:80', '--public-name', 'gw', '--', 'y'], { ...env, PORTCULLIS_LISTEN_TOKEN: 'a-long-enough-token' })).toMatchObject({ kind: 'wrap', listen: { token: 'a-long-enough-token' } });
    expect(readPlan(['--listen', '127.0.0.1:80', '--', 'y'], { ...env, PORTCULLIS_LISTEN_TOKEN: 'short' })).toMatchObject({ kind: 'usage', message: expect.stringContaining('at least 16') as string });
  });

  it('knows join in both forms and status', () => {
    expect(plan('join --plane http://127.0.0.1:7420 --token-file t')).toMatchObject({ kind: 'join', url: 'http://127.0.0.1:7420', tokenFile: 't', name: null });
    expect(plan('join --local --name laptop')).toMatchObject({ kind: 'join-local', name: 'laptop' });
    expect(plan('status --json')).toMatchObject({ kind: 'status', json: true });
  });

  it.each([
    ['', '`--`'],
    ['--', '`--`'],
    ['join', 'join --local'],
    ['join --plane https://p', '--token-file FILE'],
    ['join --token-file t', '--plane URL'],
    ['join --local --plane x', '--local and --plane'],
    ['join --local --json', '--json means nothing with `join`: it belongs with `status` and with `doctor`'],
    ['status more', '`more` is one word too many'],
    ['staus', 'Did you mean `status`?'],
    ['npx server', 'portcullis-proxy -- npx server'],
    ['--server files npx server', 'portcullis-proxy --server files -- npx server'],
    ['npx -- server', 'comes after `--`'],
    ['--servr x -- y', '--servr is no option of portcullis-proxy. Did you mean --server?'],
    ['-s x -- y', '-s is no option'],
    ['--verbose status', '--verbose is no option'],
    ['--server ../x -- y', '--server "../x"'],
    ['--server a --server b -- y', '--server is given twice'],
    ['--server= -- y', '--server needs a value: write --server NAME'],
    ['--server', '--server needs a value: write --server NAME'],
    ['--server --json -- y', '--server needs a value'],
    ['status --json=yes', '--json takes no value'],
    ['--plane https://p -- y', '--plane means nothing before `-- COMMAND`: it belongs with `join`'],
    ['join -- x', '`join` and `-- COMMAND`'],
    ['--upstream ftp://x', 'no http or https URL'],
    ['--upstream https://u:p@x', 'user or password'],
    ['--upstream https://x -- y', '--upstream URL and `-- COMMAND`'],
    ['--upstream http://x --header A:b', 'Write an https URL'],
    ['--upstream https://x --header A', "write --header 'NAME: VALUE'"],
    ['--upstream https://x --header A:1 --header a:2', '--header a is given twice'],
    ['--upstream https://x --header Mcp-Name:b', 'mcp-name is set by the proxy'],
    ['--upstream https://x --header A:${NOT_THERE}', 'NOT_THERE'],
    ['--header A:b -- y', '--header means nothing without --upstream'],
    ['--listen 8080 -- y', 'no host and port'],
    ['--listen localhost:99999 -- y', 'no host and port'],
    ['--listen 0.0.0.0:8080 -- y', '--public-name'],
    ['--listen 0.0.0.0:8080 --public-name gw -- y', 'set PORTCULLIS_LISTEN_TOKEN'],
    ['--listen 0.0.0.0:8080 --public-name gw --upstream https://x --header A:b', 'set PORTCULLIS_LISTEN_TOKEN'],
    ['--listen localhost:1 --public-name http://x -- y', 'no host name'],
    ['--public-name x -- y', '--public-name means nothing without --listen'],
    ['--listen localhost:1', 'which MCP server?'],
    ['trust', 'portcullis-proxy trust portcullis.local/0a1b2c3d'],
    ['trust a b', '`b` is one word too many'],
    ['trust a --json', '--json means nothing with `trust`'],
  ])('[O3] refuses `%s`, names what is wrong and says what to write', (line, said) => {
    expect(plan(line)).toEqual({ kind: 'usage', message: expect.stringContaining(said) as string });
  });

  it('prints help and version whatever else is there', () => {
    expect(plan('status --nonsense -h')).toEqual({ kind: 'help' });
    expect(plan('--version')).toEqual({ kind: 'version' });
    expect(plan('-- y --help')).toMatchObject({ kind: 'wrap', upstream: { args: ['--help'] } });
  });
});
