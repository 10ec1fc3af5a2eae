/** The log as people ask for it: by who, of which kind, one event in full; and never silently about nobody. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApi } from '../../../../test/api/open-api.ts';
import type { ApiWorld } from '../../../../test/api/open-api.ts';
import { operators } from '../../../../test/api/operate.ts';
import type { Operators, Said } from '../../../../test/api/operate.ts';
import { EVENT_TYPES } from '../domain/events.ts';

let world: ApiWorld;
let by: Operators;
beforeEach(async () => {
  world = openApi();
  by = await operators(world);
});
afterEach(async () => {
  await by.close();
  world.close();
});

const log = (...args: readonly string[]): Promise<Said> => by.operate('viewer', ['log', ...args]);
const seqs = async (...args: readonly string[]): Promise<readonly number[]> => {
  const said = await log(...args, '--json');
  expect(said, said.err).toMatchObject({ code: 0 });
  return (JSON.parse(said.out) as { readonly events: readonly { readonly seq: number }[] }).events.map(({ seq }) => seq);
};
const responder = (): string => [...world.plane.state().operatorTokens.values()].find(({ role }) => role === 'responder')?.token ?? '';

async function restrict(reason: string): Promise<number> {
  return (await world.ask('responder', 'POST', '/v1/restrictions', { reason, tools: [reason.slice(0, 10)] })).body['version'] as number;
}

describe('log --type', () => {
  it('takes every type in any case, and lists them all where there is none such', async () => {
    const seq = await restrict('x');
    expect(await seqs('--type', 'restrictionimposed')).toEqual([seq]);
    const docs = readFileSync(join(import.meta.dirname, '../../../../docs/cli.md'), 'utf8');
    for (const type of EVENT_TYPES) {
      await seqs('--type', type);
      expect(docs).toContain(type);
    }
    const unknown = await log('--type', 'Restriction');
    expect(unknown.code).toBe(2);
    for (const type of EVENT_TYPES) expect(unknown.err).toContain(type);
    expect((await world.ask('viewer', 'GET', '/v1/log?types=RestrictionImposed,Nope')).body).toMatchObject({ error: { code: 'invalid', message: expect.stringContaining('"Nope". These there are: PlaneInitialised, ') as string } });
  });
});

describe('log --actor', () => {
  it('takes an id, its beginning, a name, and whatever a line of the log shows', async () => {
    const seq = await restrict('x');
    const id = responder();
    const shown = /\S+Z {2}(the responder \(\S+\))/.exec((await log('--limit', '1')).out)?.[1] ?? '';
    expect(shown).not.toBe('');
    for (const who of [id, id.slice(0, 6), `${id.slice(0, 10)}…`, 'the responder', shown, `operator ${id}`]) expect(await seqs('--actor', who), who).toEqual([seq]);
    expect(await seqs('--actor', 'plane')).not.toEqual([]);
    await world.save({ 'a.yaml': 'version: "1"\n' });
    expect(await seqs('--actor', 'files directory')).toEqual(await seqs('--actor', 'directory'));
  });

  it('says whom there is where it is nobody, and by which ids where it may be several', async () => {
    const nobody = await log('--actor', 'the respnder');
    expect(nobody.code).toBe(1);
    expect(nobody.err).toContain(`${responder()} (the responder)`);
    for (const name of ['ada', 'ada']) await world.ask('admin', 'POST', '/v1/tokens', { name, role: 'viewer' });
    const several = await log('--actor', 'ada');
    expect(several.code).toBe(1);
    expect(several.err).toMatch(/may be any of several: [0-9a-f]{16} \(ada\), [0-9a-f]{16} \(ada\)/);
  });
});

describe('log --policy', () => {
  it('says which are in force where there was never one of that name', async () => {
    await world.save({ 'a.yaml': 'version: "1"\n', 'b.yaml': 'version: "1"\n' });
    expect(await seqs('--policy', 'a.yaml')).toHaveLength(1);
    expect(await log('--policy', 'a.yml')).toMatchObject({ code: 1, err: expect.stringContaining('a.yaml, b.yaml') as string });
    expect((await log('--policy', 'a.yaml', '--type', 'RolledBack')).out).toBe('Nothing of the kind is recorded.');
  });
});

describe('one event', () => {
  const LONG = `because of ${'an incident that takes many words to tell, '.repeat(20)}which ends here`;

  it('in the list is whole, in lines that fit', async () => {
    const names = Array.from({ length: 4 }, (_, n) => `a/rather/long/path/to/a/policy/file/number-${n}.yaml`);
    await world.save(Object.fromEntries(names.map((name) => [name, 'version: "1"\n'])));
    await restrict(LONG);
    const { out } = await log();
    for (const line of out.split('\n')) expect(Array.from(line).length).toBeLessThanOrEqual(100);
    const joined = out.replaceAll(/\n +│ /g, ' ');
    for (const name of names) expect(joined).toContain(name);
    expect(joined).toContain(LONG);
  });

  it('by its seq is shown in full: who, how, why, and every field of it', async () => {
    const seq = await restrict(LONG);
    const said = await log(String(seq));
    expect(said.code).toBe(0);
    for (const line of said.out.split('\n')) expect(Array.from(line).length).toBeLessThanOrEqual(100);
    const joined = said.out.replaceAll(/\n +│ /g, ' ');
    for (const part of [`event ${seq}: RestrictionImposed (version ${seq})`, '2026-01-05 12:00:00Z', responder(), LONG, 'globs:', '- because of']) expect(joined).toContain(part);
    expect(JSON.parse((await log(String(seq), '--json')).out)).toMatchObject({ seq, event: { type: 'RestrictionImposed' } });
    await world.save({ 'bad.yaml': 'version: "1"\nrulez: 1\n' });
    const refused = await log(String(world.plane.state().size - 1));
    expect(refused.out).toMatch(/bad\.yaml:2:1.*\n.*2 \| rulez: 1/);
    expect(await log('9999')).toMatchObject({ code: 1, err: 'There is no event 9999 yet. `portcullis log` shows the newest.' });
  });

  it('still leaves log export and the others to themselves', async () => {
    expect((await log('verify', '--key', '/nowhere/key')).err).toContain('There is no key at /nowhere/key');
  });
});

describe('diff', () => {
  const RULES = (limit: string, words: string) => `version: "1"\ntools:\n  write_file:\n    rules:\n      - { name: few, rate_limit: ${limit}, on_deny: ${words} }\n`;

  it('begins with what callers see, changed limits too, and fits', async () => {
    await world.save({ 'files.yaml': RULES('60/minute', 'a') });
    const before = world.plane.state().version;
    await world.save({ 'files.yaml': RULES('3/minute', 'so many words '.repeat(40)) });
    const { code, out } = await by.operate('viewer', ['diff', String(before), String(world.plane.state().version)]);
    expect(code).toBe(0);
    expect(out.split('\n').slice(0, 4)).toEqual(['For callers:', '  files write_file: at most 3 a minute (was 60 a minute)', '~ files.yaml', '    ~ tools > write_file > few > rate_limit: 60/minute -> 3/minute']);
    for (const line of out.split('\n')) expect(Array.from(line).length).toBeLessThanOrEqual(100);
    expect(out).not.toMatch(/state\.|_rate_|evaluate|enforce/);
  });

  it('and rollback say of a version that there is not which is the newest, and what lists them', async () => {
    for (const args of [['diff', '0', '999'], ['rollback', '999', '--reason', 'x'], ['show', '999']]) {
      expect(await by.operate('admin', args)).toMatchObject({ code: 1, err: 'There is no version 999 yet; the newest is 0. `portcullis log` lists them.' });
    }
  });
});
