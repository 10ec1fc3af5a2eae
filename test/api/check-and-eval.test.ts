/** `check`, `eval` and `schema` as other programs use them: real processes, no plane. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PORTCULLIS, run, start, until, type Finished } from '../world/process.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-check-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const GOOD = `version: "1"
default: deny
tools:
  read_file:
    rules:
      - name: three an hour
        rate_limit: 3/hour
tests:
  - name: others are closed
    call: { tool: write_file }
    expect: deny
`;

function portcullis(args: readonly string[], input = ''): Promise<Finished> {
  return run(process.execPath, [PORTCULLIS, ...args], { PORTCULLIS_HOME: join(directory, 'no-plane') }, { cwd: directory, input });
}

function write(path: string, text: string | Buffer): string {
  const absolute = join(directory, path);
  mkdirSync(join(absolute, '..'), { recursive: true });
  writeFileSync(absolute, text);
  return path;
}

describe('check', () => {
  it('answers 0 and the promised JSON for good files', async () => {
    write('good/files.yaml', GOOD);
    const done = await portcullis(['check', 'good', '--json']);
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout)).toEqual({ ok: true, problems: [], tests: { passed: 1, failed: 0 } });
  });

  it('reports every problem of every file at once, each with its place, and answers 1', async () => {
    write('bad/a.yaml', 'version: "1"\ntoolz: {}\ndefualt: deny\n');
    write('bad/deep/b.yaml', GOOD.replace('expect: deny', 'expect: allow'));
    write('bad/c.yaml', Buffer.from([0x76, 0xff]));
    write('bad/.hidden.yaml', 'nonsense: [');
    write('bad/notes.txt', 'nonsense: [');
    const done = await portcullis(['check', 'bad', 'missing.yaml', '--json']);
    expect(done.code).toBe(1);
    const report = JSON.parse(done.stdout) as { ok: boolean; problems: { file: string; line: number; column: number; code: string; severity: string; message: string }[]; tests: object };
    expect(report.ok).toBe(false);
    expect(report.problems.map(({ file, line, code }) => `${file}:${line} ${code}`).sort()).toEqual([
      'bad/a.yaml:2 UNKNOWN_KEY', 'bad/a.yaml:3 UNKNOWN_KEY', 'bad/c.yaml:1 FILE_NOT_UTF8', 'bad/deep/b.yaml:10 TEST_FAILED', 'missing.yaml:1 FILE_UNREADABLE',
    ]);
    for (const problem of report.problems) expect(Object.keys(problem)).toEqual(['file', 'line', 'column', 'code', 'severity', 'message']);
    expect(report.tests).toEqual({ passed: 0, failed: 1 });
    const human = await portcullis(['check', 'bad']);
    expect(human.stdout).toContain('bad/a.yaml:2:1');
    expect(human.stdout).toContain('TEST_FAILED');
    expect(human.stdout).toMatch(/3 files: 4 errors/);
  });

  it('[F7] does not follow links out of the directory, and ends where links loop', async () => {
    write('links/inner/a.yaml', GOOD);
    write('outside.yaml', GOOD);
    symlinkSync(join(directory, 'outside.yaml'), join(directory, 'links/out.yaml'));
    symlinkSync(join(directory, 'links'), join(directory, 'links/inner/loop'));
    const report = JSON.parse((await portcullis(['check', 'links', '--json'])).stdout) as { problems: { file: string; code: string }[]; tests: { passed: number } };
    expect(report.problems.map(({ file, code }) => `${file} ${code}`)).toEqual(['links/out.yaml FILE_OUTSIDE']);
    expect(report.tests.passed).toBe(1);
  });

  it('shows file names and texts from elsewhere without letting them move the cursor', async () => {
    write('tty/\u001b[2J.yaml', 'version: "1"\n"\u001b[31mred": 1\n');
    const done = await portcullis(['check', 'tty']);
    expect(done.code).toBe(1);
    expect(done.stdout + done.stderr).not.toContain('\u001b');
  });

  it('checks a thousand files in a few seconds', async () => {
    for (let n = 0; n < 1_000; n += 1) write(`many/team-${n}.yaml`, GOOD);
    const began = performance.now();
    const done = await portcullis(['check', 'many', '--json']);
    const tookMs = performance.now() - began;
    expect((JSON.parse(done.stdout) as { tests: object }).tests).toEqual({ passed: 1_000, failed: 0 });
    console.log(`check of 1,000 files: ${Math.round(tookMs)} ms`);
    // Generous: the machine may be busy.
    expect(tookMs).toBeLessThan(20_000);
  });

  it('checks again when a file changes, and stops when asked to', async () => {
    write('watched/a.yaml', GOOD);
    const running = start(process.execPath, [PORTCULLIS, 'check', 'watched', '--watch'], {}, directory);
    await until('the first answer', () => running.output().includes('0 errors'));
    write('watched/a.yaml', 'version: "2"\n');
    await until('the second answer', () => running.output().includes('1 error'));
    expect(await running.stop('SIGINT')).toBe(1);
  });
});

describe('eval', () => {
  it('answers one decision a line, with counters that live as long as the command', async () => {
    write('files.yaml', GOOD);
    const calls = [
      ...Array.from({ length: 4 }, () => ({ tool: 'read_file', at: '2026-01-05T12:00:00Z' })),
      { tool: 'read_file', at: '2026-01-05T13:00:00Z', outcome: 'error' },
      ...Array.from({ length: 4 }, () => ({ tool: 'read_file', at: '2026-01-05T13:00:01+00:00' })),
      { tool: 'write_file', arguments: { path: 'x' } },
      { uri: 'file:///x' }, { prompt: 'p' }, { method: 'sampling/createMessage' },
    ];
    const done = await portcullis(['eval', '--policy', 'files.yaml'], calls.map((call) => JSON.stringify(call)).join('\n'));
    expect(done.code, done.stderr).toBe(0);
    const decisions = done.stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(decisions.map((one) => one['decision'])).toEqual(['allow', 'allow', 'allow', 'deny', 'allow', 'allow', 'allow', 'allow', 'deny', 'deny', 'deny', 'deny', 'deny']);
    expect(decisions[3]).toMatchObject({ rule: 'three an hour', message: expect.any(String) as string });
    for (const decision of decisions) expect(Object.keys(decision)).toEqual(['decision', 'message', 'rule', 'reason', 'matched']);
    expect(decisions[0]).toMatchObject({ message: null, rule: null, reason: 'allowed' });
  });

  it('takes server, labels and client into account, and the server from the match', async () => {
    write('match.yaml', 'version: "1"\nmatch: { server: ["x-*", "main"], labels: { env: prod } }\n');
    const calls = [{ tool: 't', labels: { env: 'prod' } }, { tool: 't', labels: { env: 'dev' } }, { tool: 't' }, { tool: 't', server: 'x-1', labels: { env: 'prod' } }, { tool: 't', server: 'other', labels: { env: 'prod' } }];
    write('calls.jsonl', calls.map((call) => JSON.stringify(call)).join('\n'));
    const done = await portcullis(['eval', '--policy', 'match.yaml', '--calls', 'calls.jsonl']);
    expect(done.stdout.trim().split('\n').map((line) => (JSON.parse(line) as { reason: string }).reason)).toEqual(['allowed', 'no-policy', 'no-policy', 'allowed', 'no-policy']);
  });

  it('[P8] passes plumbing, whatever the policy says of methods', async () => {
    const passes = ['initialize', 'tools/list', 'ping', 'notifications/cancelled'].map((method) => ({ method }));
    const judged = ['completion/complete', 'tasks/get', 'notifications/message', 'roots/list'].map((method) => ({ method }));
    const lines = [...passes, ...judged].map((call) => JSON.stringify(call)).join('\n');
    const done = await portcullis(['eval', '--policy', write('shut.yaml', 'version: "1"\ndefault: deny\nmethods: { "*": deny }\n')], lines);
    const decisions = done.stdout.trim().split('\n').map((line) => (JSON.parse(line) as { decision: string }).decision);
    expect(decisions).toEqual([...passes.map(() => 'allow'), ...judged.map(() => 'deny')]);
  });

  it('[P2] denies lines that it cannot read as one call, keeps the lines aligned, and answers 2', async () => {
    const bad = ['{', '[]', '{"tool":"a","tool":"b"}', '{"tool":"a","uri":"b"}', '{}', '{"tool":1}', '{"tool":"a","surprise":1}', '{"tool":"a","at":"yesterday"}', '{"tool":"a","labels":{"a":1}}', '{"tool":"a","outcome":"x"}', '{"tool":"a","arguments":[]}', '{"uri":"x:y","arguments":{"a":1}}', '{"method":"tools/call"}'];
    const done = await portcullis(['eval', '--policy', write('files.yaml', GOOD)], [...bad, '{"tool":"read_file"}'].join('\n'));
    expect(done.code).toBe(2);
    const decisions = done.stdout.trim().split('\n').map((line) => JSON.parse(line) as { decision: string; reason: string });
    expect(decisions).toHaveLength(bad.length + 1);
    for (const decision of decisions.slice(0, -1)) expect(decision).toMatchObject({ decision: 'deny', reason: 'unparsable' });
    expect(decisions.at(-1)).toMatchObject({ decision: 'allow' });
  });

  it('answers 1 for a policy with errors, with the problems on standard error', async () => {
    const done = await portcullis(['eval', '--policy', write('broken.yaml', 'version: "9"\n')], '{"tool":"a"}\n');
    expect(done).toMatchObject({ code: 1, stdout: '' });
    expect(done.stderr).toContain('broken.yaml:1:');
  });
});

describe('the command line', () => {
  it('prints the schema', async () => {
    expect(JSON.parse((await portcullis(['schema'])).stdout)).toHaveProperty('$schema');
  });

  it('[O3] answers 2 for what it does not know, and says what it does know', async () => {
    for (const args of [['chekc'], ['eval'], ['check', '--nope'], ['lockdown'], ['rollback', 'x', '--reason', 'y'], ['status', '--wait', '-1'], ['token', 'create', '--role', 'king']]) {
      const done = await portcullis(args);
      expect(done.code, args.join(' ')).toBe(2);
      expect(done.stderr.length).toBeGreaterThan(10);
    }
  });

  it('[O3] answers 3 where no plane runs, and says how to start one', async () => {
    for (const args of [['status'], ['lockdown', '--reason', 'x'], ['tail']]) {
      const done = await portcullis(args);
      expect(done.code, args.join(' ')).toBe(3);
      expect(done.stderr).toContain('portcullis serve');
    }
    const gone = await run(process.execPath, [PORTCULLIS, 'status'], { PORTCULLIS_URL: 'http://127.0.0.1:1', PORTCULLIS_TOKEN: 'x' });
    expect(gone.code).toBe(3);
    const clear = await run(process.execPath, [PORTCULLIS, 'status'], { PORTCULLIS_URL: 'http://plane.example', PORTCULLIS_TOKEN: 'x' });
    expect(clear.code).toBe(2);
    expect(clear.stderr).toContain('https');
  });
});
