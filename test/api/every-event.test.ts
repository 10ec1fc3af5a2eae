/**
 * A day with a real plane on which everything happens that the log knows: each type of event is really recorded, by whom it was, with the reason
 * and cause, and, in a git checkout, with the commit. At the end the log verifies and says all of it again.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENT_TYPES } from '../../apps/control-plane/src/domain/events.ts';
import type { EventType, PlaneEvent, Recorded } from '../../apps/control-plane/src/domain/events.ts';
import { enrolHost } from '../world/host.ts';
import { startPlane, type PlaneProcess } from '../world/plane.ts';
import { until } from '../world/process.ts';

let directory: string;
let plane: PlaneProcess;

const admin = (...words: readonly string[]) => plane.ask(...words, '--as', 'admin');
const events = async (): Promise<readonly Recorded[]> => ((await plane.ask('log', '--limit', '1000')) as { readonly events: readonly Recorded[] }).events;
const version = async (): Promise<number> => ((await plane.ask('status')) as { readonly version: number }).version;
const git = (...args: readonly string[]): string => execFileSync('git', ['-C', plane.policies, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], { encoding: 'utf8' }).trim();

/** A commit whose file is not in the directory yet, so that the plane cannot see the file before the commit. */
function commit(policy: string, text: string, message: string): void {
  const blob = execFileSync('git', ['-C', plane.policies, 'hash-object', '-w', '--stdin'], { input: text, encoding: 'utf8' }).trim();
  git('update-index', '--add', '--cacheinfo', `100644,${blob},${policy}`);
  git('commit', '-q', '-m', message);
}

/** Waits for an event of this type that the log did not have before. */
async function recorded(type: EventType, act: () => unknown): Promise<Recorded> {
  const before = new Set((await events()).map(({ id }) => id));
  await act();
  return until(type, async () => (await events()).find(({ event, id }) => event.type === type && !before.has(id)));
}

type OfType<T extends EventType> = Extract<PlaneEvent, { type: T }>;
async function done<T extends EventType>(type: T, act: () => unknown): Promise<Recorded & { readonly event: OfType<T> }> {
  return (await recorded(type, act)) as Recorded & { readonly event: OfType<T> };
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-day-'));
  plane = await startPlane(directory);
});
afterAll(async () => {
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
});

const files = { kind: 'files', id: 'directory' };
const ALLOW = 'version: "1"\n';
const DENY = 'version: "1"\ndefault: deny\n';

describe('every event', () => {
  it('of the files is recorded: published, with the commit where it is one; refused; gone and confirmed; unseen', async () => {
    git('init', '-q', '-b', 'trunk');
    commit('files.yaml', ALLOW, 'Allow reading\n\nAt length.');
    const byCommit = await done('PolicySetPublished', () => plane.save('files.yaml', ALLOW));
    expect(byCommit).toMatchObject({ actor: files, auth: { method: 'none' }, event: { git: { commit: git('rev-parse', 'HEAD'), branch: 'trunk', claimedAuthor: 'Ada <ada@example.com>', subject: 'Allow reading' } } });
    commit('guard.yaml', ALLOW, 'Guard everything');
    expect(await done('PolicySetPublished', () => plane.save('guard.yaml', 'version: "1"\nmatch: { server: "*" }\n'))).toMatchObject({ event: { git: null } });
    await done('PolicySetPublished', () => plane.save('more.yaml', ALLOW));
    const refused = await done('ChangeRefused', () => plane.save('more.yaml', 'version: "1"\nrulez: 1\n'));
    expect(refused).toMatchObject({ actor: files, event: { why: 'invalid', policy: 'more.yaml', problems: [{ line: 2, code: 'UNKNOWN_KEY' }] } });
    plane.save('more.yaml', ALLOW);
    const waits = await done('ChangeRefused', () => rmSync(join(plane.policies, 'guard.yaml')));
    expect(waits.event).toMatchObject({ why: 'removal', removes: ['guard.yaml'] });
    const confirmed = await done('RemovalConfirmed', () => admin('confirm', waits.event.change ?? '', '--reason', 'it is not needed'));
    const published = (await events()).find(({ cause }) => cause === confirmed.id);
    expect(confirmed).toMatchObject({ actor: { kind: 'operator' }, auth: { method: 'local' }, reason: 'it is not needed' });
    expect(published?.event).toMatchObject({ type: 'PolicySetPublished', changes: [{ kind: 'removed', policy: 'guard.yaml' }] });
    const failed = await done('WatchFailed', () => renameSync(plane.policies, `${plane.policies}-away`));
    expect(failed).toMatchObject({ actor: files, event: { problem: expect.stringContaining(plane.policies) as string } });
    expect(((await plane.ask('status')) as { readonly watch: { readonly state: string } }).watch.state).toBe('failed');
    await done('WatchRecovered', () => renameSync(`${plane.policies}-away`, plane.policies));
  }, 120_000);

  it('of operators is recorded: rollback and release, restrictions and their ends, tokens, hosts, keys, what was erased', async () => {
    const good = await version();
    await done('PolicySetPublished', () => plane.save('files.yaml', DENY));
    const back = await done('RolledBack', () => admin('rollback', String(good), '--reason', 'it was wrong'));
    expect(back).toMatchObject({ reason: 'it was wrong', event: { holds: [{ policy: 'files.yaml' }] } });
    const held = (await events()).find(({ cause }) => cause === back.id);
    expect(held?.event).toMatchObject({ type: 'ChangeRefused', why: 'held' });
    const released = await done('HoldReleased', () => admin('hold', 'release', 'files.yaml', '--reason', 'mended'));
    expect((await events()).find(({ cause }) => cause === released.id)?.event.type).toBe('PolicySetPublished');

    const imposed = await done('RestrictionImposed', () => plane.ask('restrict', '--tool', 'a', '--reason', 'an incident'));
    expect(imposed).toMatchObject({ reason: 'an incident', event: { restriction: { actor: imposed.actor.id } } });
    expect(await done('RestrictionLifted', () => admin('lift', imposed.event.restriction.id, '--reason', 'over', '--yes'))).toMatchObject({ reason: 'over' });
    let short = imposed;
    const expired = await done('RestrictionExpired', async () => {
      short = await done('RestrictionImposed', () => plane.ask('restrict', '--tool', 'b', '--reason', 'for a moment', '--ttl', '1s'));
    });
    expect(expired).toMatchObject({ actor: { kind: 'plane' }, cause: short.id });

    const host = await recorded('HostEnrolled', () => enrolHost(plane, 'laptop', { env: 'prod' }));
    expect(host).toMatchObject({ auth: { method: 'join-token' }, event: { name: 'laptop', labels: { env: 'prod' } } });
    const { host: id } = host.event as OfType<'HostEnrolled'>;
    const token = (await events()).find(({ event }) => event.type === 'JoinTokenCreated');
    expect(token?.event).toMatchObject({ labels: { env: 'prod' } });
    const unused = await done('JoinTokenCreated', () => admin('join-token', 'create'));
    await done('JoinTokenRevoked', () => admin('join-token', 'revoke', unused.event.token, '--reason', 'not needed'));
    expect(await done('HostRelabelled', () => admin('host', 'relabel', id, '--label', 'env=dev', '--reason', 'moved'))).toMatchObject({ reason: 'moved', event: { labels: { env: 'dev' } } });
    await done('HostRevoked', () => admin('host', 'revoke', id, '--reason', 'lost'));
    const made = await done('OperatorTokenCreated', () => admin('token', 'create', '--role', 'viewer', '--name', 'Ada'));
    await done('OperatorTokenRevoked', () => admin('token', 'revoke', made.event.token));
    expect(await done('KeyRotated', () => admin('key', 'rotate', '--reason', 'yearly'))).toMatchObject({ reason: 'yearly' });
    expect(await done('TextErased', () => admin('log', 'erase', String(expired.seq - 1), '--reason', 'she asked'))).toMatchObject({ reason: 'she asked' });
  }, 120_000);

  it('of a log that came back from a backup, too; then all of them are there, and the log verifies', async () => {
    await plane.stop();
    const data = join(directory, 'data');
    const restored = await plane.operate('log', 'restore', '--data', data, '--recovery-key', join(data, 'recovery.key'), '--reason', 'the disk died');
    expect(restored).toMatchObject({ code: 0 });
    await plane.startAgain();
    const all = await events();
    expect(new Set(all.map(({ event }) => event.type))).toEqual(EVENT_TYPES);
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, n) => all.length - 1 - n));
    const ids = new Map(all.map((one) => [one.id, one.seq]));
    for (const { seq, cause } of all) if (cause !== null) expect(ids.get(cause), String(seq)).toBeLessThan(seq);
    // Whatever an operator decided says why, where it must; nothing has an actor whom nobody knows.
    for (const { event, reason, reasonErased, actor } of all) {
      if (['RolledBack', 'RestrictionImposed', 'RestrictionLifted', 'KeyRotated', 'LogRestored', 'TextErased'].includes(event.type)) expect(reason !== null || reasonErased, event.type).toBe(true);
      expect(['operator', 'files', 'plane', 'host']).toContain(actor.kind);
    }
    expect(await plane.operate('log', 'verify')).toMatchObject({ code: 0 });
    mkdirSync(join(directory, 'out'), { recursive: true });
    expect(await plane.operate('log', 'export', '--out', join(directory, 'out'))).toMatchObject({ code: 0 });
    expect(await plane.operate('log', 'verify', join(directory, 'out'))).toMatchObject({ code: 0 });
  }, 120_000);
});
