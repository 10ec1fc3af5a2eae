import { describe, expect, it } from 'vitest';
import { readPlan } from './config.ts';

const env = { PORTCULLIS_HOME: '/home/x/.portcullis' };
const plan = (line: string) => readPlan(line.split(' ').filter((word) => word !== ''), env);

describe('the command line of portcullis-proxy', () => {
  it('takes everything after -- as the server, options and all', () => {
    expect(plan('--server files -- npx -y server --help -- x')).toMatchObject({ kind: 'wrap', command: 'npx', args: ['-y', 'server', '--help', '--', 'x'], claim: { server: 'files' } });
  });

  it('knows join in both forms and status', () => {
    expect(plan('join --plane http://127.0.0.1:7420 --token-file t')).toMatchObject({ kind: 'join', url: 'http://127.0.0.1:7420', tokenFile: 't', name: null });
    expect(plan('join --local --name laptop')).toMatchObject({ kind: 'join-local', name: 'laptop' });
    expect(plan('status --json')).toMatchObject({ kind: 'status', json: true });
  });

  it.each(['', '--', 'join', 'join --local --plane x', 'status more', 'npx server', '--servr x -- y', '--server ../x -- y', 'join -- x', '--server'])('[O3] refuses `%s` and says what to write', (line) => {
    const refused = plan(line);
    expect(refused.kind).toBe('usage');
    expect(refused.kind === 'usage' && refused.message.length).toBeGreaterThan(10);
  });
});
