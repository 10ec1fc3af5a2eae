/** What people and files are called, and the reasons that people give, cannot pass for lines of ours. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { announcement } from '../announce.ts';
import type { PlaneEvent, Recorded } from '../domain/events.ts';
import { run } from './program.ts';
import type { Terminal } from './terminal.ts';

const LINE = 'FORGED: everything is fine';
const EVIL = `x\n${LINE}\r\n${LINE}\u2028${LINE}\u0085${LINE}\u001b[2K`;

let directory: string;
let server: Server;
let answers: Readonly<Record<string, unknown>>;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-forgery-'));
  server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answers[(request.url ?? '').split('?')[0] ?? ''] ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function said(...args: readonly string[]): Promise<string> {
  const text: string[] = [];
  const terminal: Terminal = {
    out: (line) => void text.push(line), err: (line) => void text.push(line), progress: () => undefined, input: Readable.from([]), cwd: directory, interactive: false, now: () => 0,
    env: { PORTCULLIS_HOME: directory, PORTCULLIS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, PORTCULLIS_TOKEN: 'x' }, signal: new AbortController().signal,
  };
  await run(args, terminal);
  return text.join('\n');
}

function expectHonest(text: string): void {
  expect(text).toContain(LINE);
  for (const line of text.split(/\r\n|[\n\r\u2028\u2029\u0085]/)) expect(line.trim()).not.toMatch(/^FORGED/);
  expect(text).not.toContain('\u001b');
}

const RESTRICTION = { id: 'r-1', selector: { server: [EVIL], labels: { [EVIL]: [EVIL] } }, scope: { kind: 'tools', globs: [EVIL] }, readOnly: false, reason: EVIL, actor: EVIL, imposedAtMs: 0, expiresAtMs: null } as const;

function recorded(event: PlaneEvent): Recorded {
  return { seq: 1, id: 'e', atMs: 0, actor: { kind: 'operator', id: EVIL }, auth: { method: 'token', ref: EVIL }, reason: EVIL, reasonErased: false, idem: null, cause: null, event } as unknown as Recorded;
}

const EVENTS: readonly PlaneEvent[] = [
  { type: 'RestrictionImposed', restriction: RESTRICTION } as unknown as PlaneEvent,
  { type: 'ChangeRefused', why: 'invalid', policy: EVIL, change: EVIL, message: EVIL, problems: [{ file: EVIL, line: 1, column: 1, code: 'TYPE', severity: 'error', message: EVIL, frame: '1 | a\n  | ^' }] } as unknown as PlaneEvent,
  { type: 'PolicySetPublished', changes: [{ policy: EVIL, kind: 'added' }], git: { commit: EVIL, claimedAuthor: EVIL, subject: EVIL } } as unknown as PlaneEvent,
  { type: 'WatchFailed', problem: EVIL } as unknown as PlaneEvent,
  { type: 'OperatorTokenCreated', name: EVIL, token: EVIL, role: 'viewer' } as unknown as PlaneEvent,
];

describe('a line of ours', () => {
  it('is never what somebody wrote: serve', () => {
    for (const event of EVENTS) expectHonest(announcement(recorded(event)).join('\n'));
  });

  it('is never what somebody wrote: log, show, diff, confirm, hold list', async () => {
    const hold = { policy: EVIL, content: EVIL, since: 1, sinceMs: 0, by: { kind: 'operator', id: EVIL }, byName: EVIL, reason: EVIL, keepsOut: [] };
    answers = {
      '/v1/log': { events: EVENTS.map(recorded), names: { [EVIL]: EVIL }, next: null },
      '/v1/changes/x/confirm': { version: 1, recorded: EVENTS.map(recorded) },
      '/v1/versions/1': { version: 1, note: EVIL, event: recorded(EVENTS[0] as PlaneEvent), names: { [EVIL]: EVIL }, policies: [], restrictions: [{ restriction: RESTRICTION, since: 1 }] },
      '/v1/diff': { from: 1, to: 2, notes: [EVIL], changes: [{ policy: EVIL, kind: 'changed', parts: [{ kind: 'changed', path: [EVIL], before: EVIL, after: EVIL }] }], texts: [], imposed: [RESTRICTION], ended: [RESTRICTION] },
      '/v1/holds': { holds: [hold] },
    };
    for (const args of [['log'], ['confirm', 'x'], ['show', '1'], ['diff', '1', '2'], ['hold', 'list']]) expectHonest(await said(...args));
  });

  it('is never what somebody wrote: status, proxies', async () => {
    const proxy = { host: 'h', hostName: EVIL, labels: { [EVIL]: EVIL }, server: EVIL, upstream: EVIL, boot: EVIL, connected: true, state: 'current', policies: null, restrictions: null, since: null, lastSeen: 0, problems: [EVIL], inFlight: 0 };
    const turnedAway = [{ host: EVIL, hostName: EVIL, server: EVIL, proved: false, from: EVIL, reason: EVIL, message: EVIL, count: 2, firstMs: 0, lastMs: 0 }];
    answers = {
      '/v1/proxies': { proxies: [proxy], turnedAway, version: 1 },
      '/v1/status': {
        log: EVIL, version: 1, versionAtMs: 0, size: 1, policiesVersion: 1, restrictionsVersion: 1, policies: [], directory: EVIL, watch: { state: 'failed', sinceMs: 0, lastScanAtMs: null, problem: EVIL },
        storage: { problem: EVIL, ballast: true }, unrecorded: { documents: 1, sinceMs: 0, reason: EVIL },
        problems: [{ file: EVIL, line: 1, column: 1, code: 'TYPE', severity: 'error', message: EVIL, frame: null, why: 'invalid', seq: 1, sinceMs: 0 }], pendingRemovals: [{ change: EVIL, removes: [EVIL], message: EVIL, sinceMs: 0, seq: 1 }],
        holds: [{ policy: EVIL, content: EVIL, since: 1, sinceMs: 0, by: { kind: 'operator', id: EVIL }, byName: EVIL, reason: EVIL, keepsOut: [EVIL, EVIL] }], restrictions: [{ ...RESTRICTION, actorName: EVIL, since: 1, proxies: 0 }], turnedAway,
        fleet: { proxies: 1, hosts: 1, current: 1, behind: 0, refused: 0, offline: 0 }, decisions: { lost: 0, gaps: [{ host: EVIL, server: EVIL, boot: EVIL, highest: 1, stored: 0, missing: 1, lastMs: 0 }] }, startedAtMs: 0,
      },
    };
    for (const args of [['status'], ['proxies']]) expectHonest(await said(...args));
  });

  it('is never the name of a file: check', async () => {
    mkdirSync(join(directory, 'policies'));
    writeFileSync(join(directory, 'policies', `x\n${LINE}\n.yaml`), 'version: "1"\nrulez: 1\n');
    expectHonest(await said('check', 'policies'));
    expectHonest(await said('eval', '--policy', join('policies', `x\n${LINE}\n.yaml`)));
  });

  it('still is each line of a text that was asked for', async () => {
    answers = { '/v1/versions/1/policy': { text: 'version: "1"\nhide:\n\t- a\n', note: null }, '/v1/diff': { from: 1, to: 2, notes: [], changes: [], texts: [{ policy: 'a', unified: '--- a\n+++ b\n+x\n' }], imposed: [], ended: [] } };
    expect(await said('show', '1', 'a.yaml')).toBe('version: "1"\nhide:\n  - a');
    expect(await said('diff', '1', '2', '--text')).toBe('--- a\n+++ b\n+x');
  });
});
