/** The operators' commands against a real `portcullis serve`, and how it starts and stops. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startPlane, type PlaneProcess } from '../world/plane.ts';
import { PORTCULLIS, run, start, until } from '../world/process.ts';

const ALLOW = 'version: "1"\n';
const DENY = 'version: "1"\ndefault: deny\n';

let directory: string;
let plane: PlaneProcess;

interface Status {
  readonly version: number;
  readonly policies: readonly { readonly policy: string }[];
  readonly problems: readonly { readonly file: string }[];
  readonly restrictions: readonly { readonly id: string }[];
}

async function status(): Promise<Status> {
  return (await plane.ask('status')) as Status;
}

async function published(texts: Readonly<Record<string, string>>): Promise<number> {
  const { version } = await status();
  for (const [id, text] of Object.entries(texts)) plane.save(id, text);
  return until('the change', async () => {
    const now = await status();
    return now.version > version ? now.version : undefined;
  });
}

describe('the commands', () => {
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'portcullis-commands-'));
    plane = await startPlane(directory);
  });
  afterAll(async () => {
    await plane.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('announces the plane to this user alone', () => {
    const file = join(plane.home, 'plane.json');
    const discovery = JSON.parse(readFileSync(file, 'utf8')) as { url: string; pid: number; dataDir: string; startedAt: string; tokens: { responder: string; admin: string } };
    expect(discovery).toMatchObject({ url: plane.url(), pid: plane.running().child.pid, dataDir: join(directory, 'data') });
    for (const path of [file, discovery.tokens.responder, discovery.tokens.admin]) expect((statSync(path).mode & 0o777).toString(8), path).toBe('600');
    expect(readFileSync(discovery.tokens.responder, 'utf8')).toMatch(/^pcop_[0-9a-f]{16}_[0-9a-f]{64}_[0-9a-f]{8}\n$/);
  });

  it('shows what a file change became: log, show, diff', async () => {
    const first = await published({ 'files.yaml': ALLOW });
    const second = await published({ 'files.yaml': DENY });
    expect((await plane.operate('show', String(first), 'files.yaml')).stdout).toBe(ALLOW);
    expect((await plane.operate('show', String(second))).stdout).toContain('files.yaml');
    const diff = await plane.operate('diff', String(first), String(second));
    expect(diff.stdout).toContain('default: allow -> deny');
    expect((await plane.operate('diff', String(first), String(second), '--text')).stdout).toContain('+default: deny');
    const log = await plane.operate('log', '--type', 'PolicySetPublished');
    expect(log.stdout).toContain('+1 ~0 -0 files.yaml');
    for (const line of log.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    expect((await plane.operate('show', '9999')).code).toBe(1);
    expect((await plane.operate('show', String(second), 'nothing.yaml')).stderr).toContain('nothing.yaml');
  });

  it('[R1][R3] rolls back as a new version, holds, writes back, and releases', async () => {
    const good = await published({ 'team.yaml': ALLOW });
    await published({ 'team.yaml': DENY });
    expect((await plane.operate('rollback', String(good), '--reason', 'bad')).code).toBe(4);
    const rolledBack = (await plane.ask('rollback', String(good), '--reason', 'bad', '--write-back', '--as', 'admin')) as { version: number; files: { did: string }[] };
    expect(rolledBack.version).toBeGreaterThan(good);
    expect(rolledBack.files).toMatchObject([{ did: 'restored' }]);
    expect(readFileSync(join(plane.policies, 'team.yaml'), 'utf8')).toBe(ALLOW);
    expect((await plane.operate('hold', 'list')).stdout.replaceAll(/\n +│ /g, ' ')).toMatch(/Held by local admin .* since .* because bad/);
    plane.save('team.yaml', DENY);
    await until('the held file', async () => (await plane.operate('log', '--type', 'ChangeRefused')).stdout.includes('team.yaml'));
    expect((await status()).version).toBe(rolledBack.version);
    expect((await plane.operate('hold', 'release', 'team.yaml', '--as', 'admin')).code).toBe(0);
    await until('the released content in force', async () => (await status()).version > rolledBack.version);
  });

  it('[O1] restricts as responder, lifts as admin only, and asks before it lifts', async () => {
    const locked = await plane.operate('lockdown', '--reason', 'drill', '--label', 'env=prod', '--timeout', '1s');
    expect(locked.code).toBe(0);
    expect(locked.stdout).toContain('denies everything on env=prod');
    const again = await plane.operate('lockdown', '--reason', 'drill', '--label', 'env=prod');
    expect(again.code).toBe(0);
    expect(again.stderr).toContain('already');
    const [restriction] = (await status()).restrictions;
    const id = restriction?.id ?? '';
    const unasked = await plane.operate('lift', id, '--reason', 'over', '--as', 'admin');
    expect(unasked).toMatchObject({ code: 2 });
    expect(unasked.stderr).toContain('--yes');
    const refused = await plane.operate('lift', id, '--reason', 'over', '--yes');
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain('--as admin');
    expect((await plane.operate('lift', id, '--reason', 'over', '--yes', '--as', 'admin')).code).toBe(0);
    expect((await status()).restrictions).toEqual([]);
  });

  it('ends a restriction when its time has come, by an event', async () => {
    expect((await plane.operate('restrict', '--reason', 'short', '--tool', 'a*', '--tool', 'b', '--read-only', '--ttl', '1s')).code).toBe(0);
    expect((await status()).restrictions).toHaveLength(1);
    await until('the end', async () => (await status()).restrictions.length === 0);
    expect((await plane.operate('log', '--type', 'RestrictionExpired')).stdout).toContain('its time was over');
  });

  it('[O1] hands out tokens that work elsewhere, each as far as its role', async () => {
    const made = (await plane.ask('token', 'create', '--role', 'viewer', '--name', 'ada', '--as', 'admin')) as { id: string; token: string };
    const elsewhere = (...args: readonly string[]) => run(process.execPath, [PORTCULLIS, ...args], { PORTCULLIS_HOME: join(directory, 'nowhere'), PORTCULLIS_URL: plane.url(), PORTCULLIS_TOKEN: made.token });
    expect((await elsewhere('status')).code).toBe(0);
    expect((await elsewhere('lockdown', '--reason', 'x')).code).toBe(4);
    expect((await plane.operate('token', 'list', '--as', 'admin')).stdout).toContain('ada');
    expect((await plane.operate('token', 'revoke', made.id, '--as', 'admin')).code).toBe(0);
    expect((await elsewhere('status')).code).toBe(4);
    expect((await plane.operate('join-token', 'create')).code).toBe(4);
    const join1 = await plane.operate('join-token', 'create', '--label', 'env=prod', '--ttl', '10m', '--as', 'admin');
    expect(join1.stdout).toMatch(/^portcullis-join\.v1\.[\w-]+\n$/);
    expect((await plane.operate('join-token', 'list', '--as', 'admin')).stdout).toContain('env=prod');
  });

  it('[F2] prints a refused file with place and frame, and shows it in status until it is mended', async () => {
    plane.save('files.yaml', 'version: "1"\nrulez: 1\n');
    await until('the problem', async () => (await status()).problems.length > 0);
    expect(plane.running().output()).toMatch(/files\.yaml:2:1: error UNKNOWN_KEY/);
    expect((await plane.operate('status')).stdout).toContain('files.yaml:2:1 UNKNOWN_KEY');
    plane.save('files.yaml', DENY);
    await until('no problem', async () => (await status()).problems.length === 0);
  });

  it('[L4] exports the log, verifies it offline, and finds one changed byte anywhere in the entries', async () => {
    const out = join(directory, 'export');
    expect((await plane.operate('log', 'export', '--out', out)).code).toBe(0);
    const kept = join(directory, 'kept-checkpoint');
    writeFileSync(kept, readFileSync(join(out, 'checkpoint')));
    await published({ 'later.yaml': ALLOW });
    expect((await plane.operate('log', 'export', '--out', out)).code).toBe(0);
    expect((await plane.operate('log', 'verify', out, '--checkpoint', kept)).code).toBe(0);
    expect((await plane.operate('log', 'verify')).code).toBe(0);
    expect((await plane.operate('log', 'export', '--out', plane.policies)).code).toBe(1);
    const bundles = join(out, 'tile/entries/000.p');
    const newest = join(bundles, String(Math.max(...readdirSync(bundles).map(Number))));
    const [payload = ''] = readdirSync(join(out, 'payload'));
    for (const file of [newest, join(out, 'payload', payload), join(out, 'checkpoint')]) {
      const bytes = readFileSync(file);
      for (const at of [0, 10, bytes.length >> 1, bytes.length - 2]) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ 1;
        writeFileSync(file, changed);
        expect((await plane.operate('log', 'verify', out)).code, `${file} ${at}`).toBe(1);
      }
      writeFileSync(file, bytes);
    }
    expect((await plane.operate('log', 'verify', out, '--json')).stdout).toContain('"ok":true');
  });

  it('[O2] answers raw requests with another host, an endless head and an endless body', async () => {
    const port = Number(new URL(plane.url()).port);
    expect(await raw(port, 'GET /v1/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 421/);
    expect(await raw(port, 'GET http://evil.example/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 4/);
    expect(await raw(port, `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431/);
    expect(await raw(port, 'GET / HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
    const { tokens } = JSON.parse(readFileSync(join(plane.home, 'plane.json'), 'utf8')) as { tokens: { responder: string } };
    const known = { authorization: `Bearer ${readFileSync(tokens.responder, 'utf8').trim()}` };
    const answered = (headers: Readonly<Record<string, string>>): Promise<number> =>
      new Promise<number>((resolve, reject) => {
        const sent = request(`${plane.url()}/v1/restrictions`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }, (response) => resolve(response.statusCode ?? 0));
        sent.on('error', reject);
        sent.end('x'.repeat(1_000_000));
      });
    expect(await answered(known)).toBe(413);
    // Nothing of a stranger's body is of interest.
    expect(await answered({})).toBe(401);
  });

  it('ends tail when asked to, and leaves the plane free to stop', async () => {
    const tail = start(process.execPath, [PORTCULLIS, 'tail', '--last', '5', '--json'], { PORTCULLIS_HOME: plane.home });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(tail.child.exitCode).toBeNull();
    expect(await tail.stop('SIGINT')).toBe(0);
  });
});

describe('starting and stopping', () => {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'portcullis-start-'));
    mkdirSync(join(directory, 'policies'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const serve = (...args: readonly string[]) =>
    run(process.execPath, [PORTCULLIS, 'serve', '--policies', join(directory, 'policies'), '--data', join(directory, 'other-data'), ...args], { PORTCULLIS_HOME: join(directory, 'other-home') });

  it('[O3] says in one line what is in the way, and answers 1', async () => {
    plane = await startPlane(directory);
    try {
      const { host } = new URL(plane.url());
      const cases: readonly (readonly [args: readonly string[], says: string])[] = [
        [['--listen', host], 'is taken'],
        [['--listen', '127.0.0.1:0', '--data', join(directory, 'data')], 'in use by another plane'],
        [['--policies', join(directory, 'nowhere')], 'is not there'],
        [['--listen', '0.0.0.0:0'], 'without TLS'],
        [['--listen', '192.0.2.1:0'], 'without TLS'],
        [['--listen', 'x'], 'is no address'],
        [['--listen', '127.0.0.1:99999'], 'is no address'],
        [['--tls-cert', 'x'], 'belong together'],
        [['--tls-cert', PORTCULLIS, '--tls-key', PORTCULLIS], 'cannot be used'],
        [['--removals', 'maybe'], 'accept'],
        [['--public-name', 'https://x'], 'is no host name'],
      ];
      for (const [args, says] of cases) {
        const done = await serve('--listen', '127.0.0.1:0', ...args);
        expect(done.code, args.join(' ')).toBe(1);
        expect(done.stderr, args.join(' ')).toContain(says);
        expect(done.stderr.trim().split('\n'), args.join(' ')).toHaveLength(1);
      }
      expect((await plane.operate('status')).code).toBe(0);
    } finally {
      await plane.stop();
    }
  });

  it('stops with grace: exit 0, announcement taken back, everything as before at the next start', async () => {
    plane = await startPlane(directory);
    await published({ 'files.yaml': ALLOW });
    const tokens = () => readdirSync(join(plane.home, 'planes'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.token')).map((name) => readFileSync(join(plane.home, 'planes', name), 'utf8'));
    const [before, version] = [tokens(), (await status()).version];
    expect(await plane.running().stop('SIGTERM')).toBe(0);
    expect(existsSync(join(plane.home, 'plane.json'))).toBe(false);
    expect((await plane.operate('status')).code).toBe(3);
    await plane.startAgain();
    expect(tokens()).toEqual(before);
    expect((await status()).version).toBe(version);
    expect(await plane.running().stop('SIGINT')).toBe(0);
  });

  it('makes a new local token, and revokes the old one, where the file was lost', async () => {
    plane = await startPlane(directory);
    const { tokens } = JSON.parse(readFileSync(join(plane.home, 'plane.json'), 'utf8')) as { tokens: { admin: string } };
    const old = readFileSync(tokens.admin, 'utf8').trim();
    await plane.stop();
    rmSync(tokens.admin);
    await plane.startAgain();
    expect((await plane.operate('token', 'list', '--as', 'admin')).code).toBe(0);
    const withOld = await run(process.execPath, [PORTCULLIS, 'status'], { PORTCULLIS_URL: plane.url(), PORTCULLIS_TOKEN: old });
    expect(withOld.code).toBe(4);
    await plane.stop();
  });

  it('[O2] serves TLS under its public name', async () => {
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' });
    chmodSync(key, 0o600);
    const home = join(directory, 'home');
    const running = start(process.execPath, [PORTCULLIS, 'serve', '--policies', join(directory, 'policies'), '--data', join(directory, 'data'), '--listen', '0.0.0.0:0', '--tls-cert', cert, '--tls-key', key, '--public-name', 'localhost'], { PORTCULLIS_HOME: home });
    await until('the announcement', () => existsSync(join(home, 'plane.json')));
    const trusting = await run(process.execPath, [PORTCULLIS, 'status', '--json'], { PORTCULLIS_HOME: home, NODE_EXTRA_CA_CERTS: cert });
    expect(trusting.code, trusting.stderr).toBe(0);
    const distrusting = await run(process.execPath, [PORTCULLIS, 'status'], { PORTCULLIS_HOME: home });
    expect(distrusting.code).toBe(3);
    expect(await running.stop()).toBe(0);
  });
});

/** Sends bytes and reads what comes until the other side hangs up. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
    socket.on('error', reject);
    socket.write(text);
  });
}
