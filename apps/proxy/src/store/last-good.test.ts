import { copyFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson, digestOf, policiesBody, restrictionsBody, signedFrame, signerOf, signHeader, verifierOf } from '@portcullis/policy-core';
import type { Policy, Restriction } from '@portcullis/policy-core';
import { effective } from '../guard/guard.ts';
import { restore } from '../guard/restore.ts';
import { fileSystem } from './disk.ts';
import type { Disk } from './disk.ts';
import { openLastGood } from './last-good.ts';

const LOG = 'portcullis.test/1';
const signer = signerOf(new Uint8Array(32).fill(3));
const verify = verifierOf(signer.publicKey) ?? (() => false);
const cut = { server: 's', labels: {} };
const at = { line: 1, column: 1 };
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-last-good-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function snapshot(version: number, id: string, restrictions = 0): string {
  const policy: Policy = {
    model: 1, id, description: null, match: { server: ['s'], labels: {}, upstream: [] }, admits: true, mode: 'enforce', default: 'allow', defaultAt: at, onStale: null, hide: [], readOnly: null,
    tools: [], resources: null, prompts: null, methods: null,
  };
  const body = policiesBody([policy]);
  const header = canonicalJson({ log: LOG, cut, version, digest: digestOf(body), restrictions });
  return signedFrame('snapshot', header, signHeader(signer.sign, 'snapshot', header), body);
}

function restrict(version: number, after: number, ids: readonly string[], carried: readonly string[] = [], policies = version): string {
  const body = restrictionsBody(ids.map(restriction));
  const header = canonicalJson({ log: LOG, cut, version, digest: digestOf(body), after });
  return canonicalJson({ frame: signedFrame('restrict', header, signHeader(signer.sign, 'restrict', header), body), carried: carried.map(restriction), policies });
}

function restriction(id: string): Restriction {
  return { id, selector: { server: [], labels: {} }, scope: { kind: 'all' }, readOnly: false, reason: 'r', actor: 'a', imposedAtMs: 0, expiresAtMs: null };
}

function load() {
  const { state, problems } = restore(LOG, 's', openLastGood(directory).read(), verify);
  const now = effective(state);
  return { problems, permits: now === null ? null : { policies: now.policies.map(({ id }) => id), restrictions: now.restrictions.map(({ id }) => id) } };
}

function files(prefix: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith(prefix));
}

describe('what was in force last', () => {
  it('[P3] [P6] is there after a restart; nothing stored enforces nothing', async () => {
    expect(load().permits).toBeNull();
    const store = openLastGood(directory);
    await store.write({ kind: 'restrictions', version: 1, text: restrict(1, 1, ['r1']), settled: true });
    await store.write({ kind: 'policies', version: 1, text: snapshot(1, 'a') });
    expect(load()).toEqual({ problems: [], permits: { policies: ['a'], restrictions: ['r1'] } });
  });

  it('a lower version never replaces a higher one, whoever writes last; two versions stay', async () => {
    const [one, two] = [openLastGood(directory), openLastGood(directory)];
    await one.write({ kind: 'restrictions', version: 1, text: restrict(1, 1, []), settled: true });
    await Promise.all([5, 3, 4, 2, 1].flatMap((version) => [one, two].map((store) => store.write({ kind: 'policies', version, text: snapshot(version, `v${version}`) }))));
    expect(load().permits?.policies).toEqual(['v5']);
    expect(readdirSync(directory).filter((name) => name.startsWith('policies-'))).toHaveLength(2);
  });

  it('[P3] [W9] any one byte of any one file wrong, or missing from there on: the last good or the one before, never open, never without the restriction', async () => {
    const store = openLastGood(directory);
    await store.write({ kind: 'restrictions', version: 1, text: restrict(1, 1, ['r1']), settled: true });
    await store.write({ kind: 'policies', version: 1, text: snapshot(1, 'a') });
    await store.write({ kind: 'policies', version: 2, text: snapshot(2, 'b', 1) });
    for (const name of readdirSync(directory)) {
      const file = join(directory, name);
      const whole = readFileSync(file);
      writeFileSync(file, '');
      const without = openLastGood(directory).read();
      for (let index = 0; index < whole.length; index += 1) {
        const damaged = Buffer.from(whole);
        damaged[index] = (damaged[index] ?? 0) ^ 1;
        for (const bytes of [damaged, whole.subarray(0, index)]) {
          if (bytes !== damaged && index % 7 !== 0) continue;
          writeFileSync(file, bytes);
          expect(openLastGood(directory).read()).toEqual(without);
          if (index % 29 !== 0) continue;
          const { permits } = load();
          expect(permits?.restrictions, `${name} ${index}`).toEqual(['r1']);
          expect(permits?.policies, `${name} ${index}`).toEqual([name.startsWith('policies-0000000000000002') ? 'a' : 'b']);
        }
      }
      writeFileSync(file, whole);
    }
  }, 60_000);

  it('[P6] restrictions that cannot be read close the gate, they never fall back', async () => {
    const store = openLastGood(directory);
    await store.write({ kind: 'restrictions', version: 1, text: restrict(1, 1, []), settled: true });
    await store.write({ kind: 'policies', version: 1, text: snapshot(1, 'a') });
    await store.write({ kind: 'restrictions', version: 2, text: restrict(2, 1, ['r1'], [], 1), settled: true });
    for (const name of readdirSync(directory).filter((file) => file.startsWith('restrictions-0000000000000002'))) writeFileSync(join(directory, name), '');
    expect(load().permits).toBeNull();
    expect(load().problems.join()).toContain('restrictions@2 cannot be read');
  });

  it('[W6] where the policies fall back, everything that was restricted since stays restricted', async () => {
    const store = openLastGood(directory);
    await store.write({ kind: 'restrictions', version: 1, text: restrict(1, 1, ['r1']), settled: true });
    await store.write({ kind: 'policies', version: 1, text: snapshot(1, 'a') });
    await store.write({ kind: 'restrictions', version: 3, text: restrict(3, 2, [], ['r1'], 1), settled: true });
    await store.write({ kind: 'policies', version: 2, text: snapshot(2, 'b', 1) });
    expect(load().permits).toEqual({ policies: ['b'], restrictions: [] });
    for (const name of readdirSync(directory).filter((file) => file.startsWith('policies-0000000000000002'))) writeFileSync(join(directory, name), '');
    expect(load().permits).toEqual({ policies: ['a'], restrictions: ['r1'] });
  });

  it('[W6] policies fall back only as far as the newest restrictions reach: what else was restricted under those before, nobody here knows', async () => {
    const store = openLastGood(directory);
    await store.write({ kind: 'restrictions', version: 1, text: restrict(1, 1, ['r1']), settled: true });
    await store.write({ kind: 'policies', version: 1, text: snapshot(1, 'a') });
    await store.write({ kind: 'policies', version: 2, text: snapshot(2, 'b', 1) });
    await store.write({ kind: 'restrictions', version: 3, text: restrict(3, 2, [], [], 2), settled: true });
    expect(load().permits).toEqual({ policies: ['b'], restrictions: [] });
    for (const name of files('policies-0000000000000002')) writeFileSync(join(directory, name), '');
    expect(load()).toMatchObject({ permits: null, problems: [expect.stringContaining('policies@2'), expect.stringContaining('do not belong together')] });
  });

  it('[W6] [W8] what was carried beside these very policies stays carried: the labels that said why are not known yet', async () => {
    const store = openLastGood(directory);
    await store.write({ kind: 'policies', version: 8, text: snapshot(8, 'a') });
    await store.write({ kind: 'restrictions', version: 9, text: restrict(9, 5, [], ['r1'], 8), settled: true });
    expect(load().permits).toEqual({ policies: ['a'], restrictions: ['r1'] });
    await store.write({ kind: 'policies', version: 9, text: snapshot(9, 'b', 9) });
    expect(load().permits).toEqual({ policies: ['b'], restrictions: [] });
  });

  it('[P6] keeps one set of restrictions only, and that none newer was ever here is known from elsewhere than its own files', async () => {
    const store = openLastGood(directory);
    await store.write({ kind: 'restrictions', version: 1, text: restrict(1, 1, []), settled: true });
    await store.write({ kind: 'policies', version: 1, text: snapshot(1, 'a') });
    const old = files('restrictions-');
    for (const name of old) copyFileSync(join(directory, name), join(directory, `${name}.kept`));
    await store.write({ kind: 'restrictions', version: 2, text: restrict(2, 1, ['lockdown'], [], 1), settled: true });
    expect(load().permits?.restrictions).toEqual(['lockdown']);
    expect(files('restrictions-').filter((name) => !name.endsWith('.kept')).every((name) => name.includes('-0000000000000002-'))).toBe(true);

    for (const name of files('restrictions-0000000000000002')) rmSync(join(directory, name));
    expect(load()).toMatchObject({ permits: null, problems: [expect.stringContaining('restrictions@2')] });
    for (const name of old) renameSync(join(directory, `${name}.kept`), join(directory, name));
    expect(load()).toMatchObject({ permits: null, problems: [expect.stringContaining('restrictions@2')] });
    for (const name of files('newest-')) rmSync(join(directory, name));
    expect(load()).toMatchObject({ permits: null, problems: [expect.stringContaining('every call is denied')] });
    for (const name of files('restrictions-')) rmSync(join(directory, name));
    expect(load()).toMatchObject({ permits: null, problems: [expect.stringContaining('every call is denied')] });
  });

  it.each(['restrictions', 'policies'] as const)('[W3] an older record under a newer name is not the newest: %s', async (kind) => {
    const store = openLastGood(directory);
    await store.write({ kind: 'restrictions', version: 1, text: restrict(1, 1, ['r1']), settled: true });
    await store.write({ kind: 'policies', version: 1, text: snapshot(1, 'a') });
    await store.write({ kind: 'policies', version: 2, text: snapshot(2, 'b', 1) });
    for (const name of files(`${kind}-0000000000000001`)) copyFileSync(join(directory, name), join(directory, name.replace(/\d{16}/, '9' + '0'.repeat(15))));
    const { permits, problems } = load();
    expect(permits).toEqual(kind === 'policies' ? { policies: ['b'], restrictions: ['r1'] } : null);
    expect(problems.join()).toContain(`${kind}@9000000000000000`);
  });

  it('[P3] a record that another process replaces while it is read is not missed', async () => {
    const store = openLastGood(directory);
    await store.write({ kind: 'restrictions', version: 1, text: restrict(1, 1, ['r1']), settled: true });
    await store.write({ kind: 'policies', version: 1, text: snapshot(1, 'a') });
    let listed = 0;
    const raced = openLastGood(directory, {
      ...fileSystem,
      names: (folder) => {
        const names = fileSystem.names(folder);
        listed += 1;
        // Opening lists once, to remove what was left unfinished.
        if (listed === 2) replaceRestrictions();
        return names;
      },
    });
    const replaceRestrictions = (): void => {
      const [next, text] = [`restrictions-0000000000000002-${'0'.repeat(12)}`, restrict(2, 1, ['r2'], [], 1)];
      for (const copy of [0, 1]) writeFileSync(join(directory, `${next}.${copy}`), `${digestOf(text)}\n${text}`);
      for (const name of [...files('restrictions-0000000000000001'), ...files('newest-')]) rmSync(join(directory, name));
      writeFileSync(join(directory, 'newest-0000000000000002'), '');
    };
    const { state, problems } = restore(LOG, 's', raced.read(), verify);
    expect(problems).toEqual([]);
    expect(effective(state)?.restrictions.map(({ id }) => id)).toEqual(['r2']);
  });

  it('[W9] [P6] whenever the power fails, what was in force or what was being stored is; once stored, it is the latter', async () => {
    const disk = forgetfulDisk();
    const store = openLastGood('/', disk.disk);
    await store.write({ kind: 'restrictions', version: 1, text: restrict(1, 1, ['r1']), settled: true });
    await store.write({ kind: 'policies', version: 1, text: snapshot(1, 'a') });
    const inForce = (): ReadonlySet<string> =>
      new Set(disk.powerCuts().map((cut) => {
        const now = effective(restore(LOG, 's', openLastGood('/', cut).read(), verify).state);
        return now === null ? 'nothing' : `${now.policies.map(({ id }) => id).join()} ${now.restrictions.map(({ id }) => id).join()}`;
      }));
    const steps: [record: Parameters<typeof store.write>[0], before: string, after: string][] = [
      [{ kind: 'restrictions', version: 2, text: restrict(2, 1, ['r2'], [], 1), settled: true }, 'a r1', 'a r2'],
      [{ kind: 'policies', version: 3, text: snapshot(3, 'b', 2) }, 'a r2', 'b r2'],
      [{ kind: 'restrictions', version: 4, text: restrict(4, 3, ['r2', 'r4'], [], 3), settled: true }, 'b r2', 'b r2,r4'],
    ];
    expect([...inForce()]).toEqual(['a r1']);
    for (const [record, before, after] of steps) {
      disk.onStep = () => {
        for (const now of inForce()) expect([before, after]).toContain(now);
      };
      await store.write(record);
      disk.onStep = () => undefined;
      expect([...inForce()]).toEqual([after]);
    }
  });

  it('keeps the stale time across restarts, also when the clock was set back', () => {
    const store = openLastGood(directory);
    expect(store.readStale(1_000)).toBe(0);
    store.writeStale(5_000, 10_000);
    expect([store.readStale(12_000), store.readStale(0)]).toEqual([7_000, 5_000]);
    writeFileSync(join(directory, 'stale.json'), '{"staleMs":null}');
    expect(store.readStale(0)).toBe(Number.MAX_SAFE_INTEGER);
  });
});

interface ForgetfulDisk {
  readonly disk: Disk;
  /** Called after everything that was done to the disk. */
  onStep: () => void;
  /** Every disk that a power cut might leave now: of the names given and taken since the folder was synced any part, of what was not synced no byte. */
  powerCuts(): Disk[];
}

function forgetfulDisk(): ForgetfulDisk {
  type Names = Map<string, { bytes: Uint8Array; synced: boolean }>;
  let durable: Names = new Map();
  let since: ((names: Names) => void)[] = [];
  const names = (changes = since): Names => {
    const left: Names = new Map(durable);
    for (const change of changes) change(left);
    return left;
  };
  const step = (change?: (names: Names) => void): Promise<void> => {
    if (change !== undefined) since.push(change);
    forgetful.onStep();
    return Promise.resolve();
  };
  let unfinished = 0;
  const unused = (): never => {
    throw new Error('records are not stored so');
  };
  const reading = (now: () => Names): Pick<Disk, 'unusedName' | 'makeFolder' | 'names' | 'read' | 'ageMs' | 'remove' | 'create' | 'rename'> => ({
    unusedName: () => `unfinished-${++unfinished}`,
    makeFolder: () => undefined,
    names: () => [...now().keys()],
    read: (file) => Buffer.from(now().get(file.slice(1))?.bytes ?? unused()),
    ageMs: () => 0,
    remove: unused, create: unused, rename: unused,
  });
  const forgetful: ForgetfulDisk = {
    onStep: () => undefined,
    disk: {
      ...reading(names),
      writeDurably: async (file, bytes) => {
        const inode = { bytes, synced: false };
        await step((left) => void left.set(file.slice(1), inode));
        inode.synced = true;
        await step();
      },
      renameLater: (from, to) => {
        const inode = names().get(from.slice(1)) ?? unused();
        return step((left) => void (left.delete(from.slice(1)), left.set(to.slice(1), inode)));
      },
      syncFolder: () => {
        durable = names();
        since = [];
        return step();
      },
      namesLater: () => Promise.resolve([...names().keys()]),
      removeLater: (file) => step((left) => void left.delete(file.slice(1))),
    },
    powerCuts: () =>
      Array.from({ length: 2 ** since.length }, (_, part) => {
        const left: Names = new Map([...names(since.filter((_change, index) => (part & (1 << index)) !== 0))].map(([name, { bytes, synced }]) => [name, { bytes: synced ? bytes : new Uint8Array(), synced }]));
        return { ...reading(() => left), writeDurably: unused, renameLater: unused, syncFolder: unused, namesLater: unused, removeLater: unused };
      }),
  };
  return forgetful;
}
