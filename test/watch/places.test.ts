/** What a policy directory can be and what can become of it: a checkout, a ConfigMap, links, lost and found again, too large, not readable. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { MAX_FILES } from '../../packages/policy-files/src/survey.ts';
import { openScene, pause } from './scene.ts';
import type { Scene, SceneOptions } from './scene.ts';

const TEXT = 'version: "1"\n';

let scene: Scene;
const open = async (options?: SceneOptions) => (scene = await openScene(options));
afterEach(() => scene.end());

function git(directory: string, ...args: readonly string[]): void {
  const env = { PATH: process.env['PATH'], HOME: directory, GIT_CONFIG_NOSYSTEM: '1', GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@example.com', GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@example.com' };
  execFileSync('git', ['-c', 'init.defaultBranch=main', '-c', 'gc.auto=0', ...args], { cwd: directory, env, stdio: 'pipe' });
}

/** A checkout with two branches: 150 files that differ, 25 that only one has, 25 that only the other has. */
function twoBranches(directory: string): void {
  const fill = (branch: string, from: number) => {
    for (let n = 0; n < 150; n++) writeFileSync(join(directory, `p${n}.yaml`), `${TEXT}# ${n} on ${branch}\n`);
    for (let n = from; n < from + 25; n++) writeFileSync(join(directory, `only-${n}.yaml`), `${TEXT}# only on ${branch}\n`);
  };
  git(directory, 'init', '-q');
  fill('main', 0);
  git(directory, 'add', '.');
  git(directory, 'commit', '-qm', 'main');
  git(directory, 'checkout', '-qb', 'other');
  for (let n = 0; n < 25; n++) unlinkSync(join(directory, `only-${n}.yaml`));
  fill('other', 100);
  git(directory, 'add', '-A');
  git(directory, 'commit', '-qm', 'other');
}

describe('a checkout', () => {
  it.each([false, true])('[F1] `git checkout` of a branch in which 200 files differ is one offer (pollOnly %s)', async (pollOnly) => {
    await open({ pollOnly, before: twoBranches });
    expect(scene.offers[0]?.documents.size).toBe(175);
    for (const [n, branch] of ['main', 'other', 'main'].entries()) {
      git(scene.directory, 'checkout', '-q', branch);
      await scene.until(`the branch ${branch}`, () => scene.offers.length > n + 1);
      expect([scene.offers.at(-1)!.changed.size, scene.offers.at(-1)!.removed.size]).toEqual([175, 25]);
    }
    await scene.rest();
    expect(scene.offers).toHaveLength(4);
  });

  it("[F1] waits while git's lock is held, in a worktree below the checkout's top too", async () => {
    await open({ impatient: true, before: (directory) => {
      const repository = join(directory, '..', 'repository');
      mkdirSync(repository);
      git(repository, 'init', '-q');
      git(repository, 'commit', '-q', '--allow-empty', '-m', 'first');
      rmSync(directory, { recursive: true });
      git(repository, 'worktree', 'add', '-q', join(directory, '..', 'tree'));
      mkdirSync(join(directory, '..', 'tree', 'config', 'policies'), { recursive: true });
      symlinkSync(join('tree', 'config', 'policies'), directory);
    } });
    await scene.until('the first offer', () => scene.offers.length > 0);
    const lock = join(scene.beside, 'repository', '.git', 'worktrees', 'tree', 'index.lock');
    writeFileSync(lock, '');
    scene.write('a.yaml', TEXT);
    await pause(600);
    expect(scene.offers).toHaveLength(1);
    scene.write('b.yaml', TEXT);
    unlinkSync(lock);
    await scene.until('both', () => scene.offers.length === 2);
    expect(scene.texts()).toEqual({ 'a.yaml': TEXT, 'b.yaml': TEXT });
  });
});

describe('links', () => {
  it('[F3] a file that is ignored and was most likely meant as a policy is told of, once while it is there', async () => {
    const told: string[] = [];
    await open({ pollOnly: true, before: (directory) => writeFileSync(join(directory, 'GUARD.YAML'), 'version: "1"\n'), watch: { onAlmost: (id) => told.push(id) } });
    scene.write('team/Other.Yml', 'version: "1"\n');
    await scene.until('both names', () => told.length === 2);
    rmSync(scene.path('GUARD.YAML'));
    await scene.watcher.scanNow();
    scene.write('GUARD.YAML', 'version: "1"\n');
    await scene.until('the first again', () => told.length === 3);
    expect(told).toEqual(['GUARD.YAML', 'team/Other.Yml', 'GUARD.YAML']);
    expect(scene.offers.every(({ documents }) => documents.size === 0)).toBe(true);
  });

  it.each([false, true])("[F1] a ConfigMap's swap of `..data` is one offer, under the names that the pod sees (pollOnly %s)", async (pollOnly) => {
    const publish = (directory: string, generation: number) => {
      const data = `..2026_01_05_12_00_0${generation}.1234567`;
      mkdirSync(join(directory, data, 'teams'), { recursive: true });
      for (const name of ['a.yaml', 'b.yaml', 'teams/c.yaml']) writeFileSync(join(directory, data, name), `${TEXT}# ${name} ${generation}\n`);
      symlinkSync(data, join(directory, '..data_tmp'));
      renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
      for (const name of ['a.yaml', 'b.yaml', 'teams']) if (!existsSync(join(directory, name))) symlinkSync(join('..data', name), join(directory, name));
      rmSync(join(directory, `..2026_01_05_12_00_0${generation - 1}.1234567`), { recursive: true, force: true });
    };
    await open({ pollOnly, before: (directory) => publish(directory, 0) });
    for (let generation = 1; generation <= 3; generation++) {
      publish(scene.directory, generation);
      await scene.until(`generation ${generation}`, () => scene.texts()['a.yaml'] === `${TEXT}# a.yaml ${generation}\n`);
      expect([...scene.offers.at(-1)!.documents.keys()]).toEqual(['a.yaml', 'b.yaml', 'teams/c.yaml']);
      expect(scene.offers.at(-1)!.changed.size).toBe(3);
    }
    await scene.rest();
    expect(scene.offers).toHaveLength(4);
  });

  it('[F1] the directory itself may be a link that is swapped (git-sync, current -> release)', async () => {
    await open({ before: (directory) => {
      for (const release of ['one', 'two']) {
        mkdirSync(join(directory, '..', release));
        for (const name of ['a.yaml', 'b.yaml']) writeFileSync(join(directory, '..', release, name), `${TEXT}# ${name} ${release}\n`);
      }
      rmSync(directory, { recursive: true });
      symlinkSync('one', directory);
    } });
    for (const release of ['two', 'one', 'two']) {
      symlinkSync(release, join(scene.beside, 'next'));
      renameSync(join(scene.beside, 'next'), scene.directory);
      await scene.until(release, () => scene.texts()['a.yaml'] === `${TEXT}# a.yaml ${release}\n`);
    }
    await scene.rest();
    expect(scene.offers.map(({ changed }) => changed.size)).toEqual([2, 2, 2, 2]);
    expect(scene.problems).toEqual([]);
  });

  it('[F3] links are followed inside the directory only; circles end; each is a problem of its own', async () => {
    await open({ before: (directory) => {
      mkdirSync(join(directory, 'sub', 'deeper'), { recursive: true });
      mkdirSync(join(directory, '..', 'outside'));
      writeFileSync(join(directory, '..', 'outside', 'secret.yaml'), 'secret\n');
      writeFileSync(join(directory, 'sub', 'real.yaml'), TEXT);
      symlinkSync('sub/real.yaml', join(directory, 'alias.yaml'));
      symlinkSync('../outside/secret.yaml', join(directory, 'out.yaml'));
      symlinkSync('/etc/passwd', join(directory, 'sub', 'passwd.yaml'));
      symlinkSync('../outside', join(directory, 'elsewhere'));
      symlinkSync('../..', join(directory, 'sub', 'deeper', 'up'));
      symlinkSync('..', join(directory, 'sub', 'around'));
      symlinkSync('self.yaml', join(directory, 'self.yaml'));
      symlinkSync('nothing', join(directory, 'dangling.yaml'));
      symlinkSync('nothing', join(directory, 'dangling'));
    } });
    expect(scene.texts()).toEqual({
      'alias.yaml': TEXT, 'sub/real.yaml': TEXT,
      'out.yaml': 'FILE_OUTSIDE', 'sub/passwd.yaml': 'FILE_OUTSIDE', 'self.yaml': 'FILE_UNREADABLE', 'dangling.yaml': 'FILE_UNREADABLE',
    });
    expect([...scene.offers[0]!.unlisted].map(([prefix, { code }]) => [prefix, code])).toEqual([['elsewhere/', 'FILE_OUTSIDE']]);
    scene.write('sub/real.yaml', `${TEXT}# changed\n`);
    await scene.until('both names', () => scene.texts()['alias.yaml'] === `${TEXT}# changed\n` && scene.texts()['sub/real.yaml'] === `${TEXT}# changed\n`);
    // The directory is reached through `around` and `up` only as itself: nothing is there twice.
    expect(scene.offers).toHaveLength(2);
    unlinkSync(scene.path('out.yaml'));
    writeFileSync(scene.path('out.yaml'), TEXT);
    await scene.until('a file in the place of the link', () => scene.texts()['out.yaml'] === TEXT);
  });

  it('links that multiply directories without end reach a limit and not the memory', async () => {
    await open({ impatient: true, before: (directory) => {
      for (let n = 0; n < 20; n++) {
        mkdirSync(join(directory, `d${n}`));
        for (const way of ['x', 'y']) symlinkSync(join('..', `d${n + 1}`), join(directory, `d${n}`, way));
      }
      mkdirSync(join(directory, 'd20'));
    } });
    await scene.until('the problem', () => scene.problems.length > 0);
    expect(scene.problems[0]?.code).toBe('TOO_MANY_ENTRIES');
  });
});

describe('lost and found', () => {
  it.each([false, true])('[F3] a directory that is deleted and recreated, several times, is a problem and then what it holds; never a removal (pollOnly %s)', async (pollOnly) => {
    await open({ pollOnly, before: (directory) => ['a.yaml', 'b.yaml'].forEach((name) => writeFileSync(join(directory, name), TEXT)) });
    for (let round = 1; round <= 3; round++) {
      rmSync(scene.directory, { recursive: true });
      await scene.until('the failure', () => scene.said.at(-1) === 'failed');
      expect(scene.watcher.status()).toMatchObject({ state: 'failed', documents: 2, problem: { code: 'DIRECTORY_MISSING' } });
      mkdirSync(scene.directory);
      await pause(100);
      scene.write('a.yaml', `${TEXT}# round ${round}\n`);
      scene.write('b.yaml', TEXT);
      await scene.until('the new content', () => scene.texts()['a.yaml'] === `${TEXT}# round ${round}\n`);
      expect(scene.watcher.status().state).toBe('watching');
      // And the watcher hears again what happens in the new directory.
      scene.write('a.yaml', `${TEXT}# round ${round}, changed once more\n`);
      await scene.until('a later change', () => scene.texts()['a.yaml']?.includes('once more') === true);
    }
    expect(scene.problems).toHaveLength(3);
    expect(scene.offers.every(({ removed, documents }) => removed.size === 0 && documents.size === 2)).toBe(true);
  });

  it('[F3] a directory that is replaced in a moment is no failure', async () => {
    await open({ before: (directory) => writeFileSync(join(directory, 'a.yaml'), TEXT) });
    for (const round of [1, 2, 3]) {
      rmSync(scene.directory, { recursive: true });
      scene.write('a.yaml', `${TEXT}# ${round}\n`);
      await scene.until('the new content', () => scene.texts()['a.yaml'] === `${TEXT}# ${round}\n`);
    }
    expect(scene.said).toEqual(['offer', 'offer', 'offer', 'offer']);
  });

  it('[F3] a directory that is missing at the start is the first thing said, and its parent too', async () => {
    await open({ impatient: true, before: (directory) => rmSync(join(directory, '..'), { recursive: true }) });
    await scene.until('the failure', () => scene.problems.length === 1);
    expect(scene.watcher.status()).toMatchObject({ state: 'failed', lastScanAt: null });
    scene.write('a.yaml', TEXT);
    await scene.until('the offer', () => scene.offers.length === 1);
    expect(scene.said).toEqual(['failed', 'recovered', 'offer']);
  });

  it('[F3] more files than the limit is a problem that says so, and ends when they are gone', async () => {
    await open({ before: (directory) => writeFileSync(join(directory, 'a.yaml'), TEXT) });
    const heap = join(scene.beside, 'heap');
    mkdirSync(heap);
    for (let n = 0; n < MAX_FILES; n++) writeFileSync(join(heap, `${n}.yaml`), '');
    renameSync(heap, scene.path('heap'));
    await scene.until('the failure', () => scene.problems.length === 1);
    expect(scene.problems[0]).toMatchObject({ code: 'TOO_MANY_FILES' });
    expect(scene.problems[0]?.message).toContain(String(MAX_FILES));
    renameSync(scene.path('heap'), heap);
    await scene.until('the recovery', () => scene.said.at(-1) === 'recovered');
    expect(scene.offers).toHaveLength(1);
  });

  it('[F3] a regular file in the place of the directory is a problem', async () => {
    await open({ before: (directory) => writeFileSync(join(directory, 'a.yaml'), TEXT) });
    rmSync(scene.directory, { recursive: true });
    writeFileSync(scene.directory, TEXT);
    await scene.until('the failure', () => scene.problems.length === 1);
    expect(scene.problems[0]?.code).toBe('NOT_A_DIRECTORY');
  });
});

/** Tests that run as root give up its rights: root reads what nobody may. */
const asNobody = process.getuid?.() === 0;
const NOBODY = 65_534;

describe('what cannot be read', () => {
  afterEach(() => {
    if (asNobody) process.seteuid?.(0);
  });

  it('[F3] a file or folder without the right to read it is a problem, never a removal, and ends with the right', async () => {
    await open({ impatient: true, before: (directory) => {
      for (const name of ['a.yaml', 'b.yaml']) writeFileSync(join(directory, name), TEXT);
      mkdirSync(join(directory, 'sub'));
      writeFileSync(join(directory, 'sub', 'c.yaml'), TEXT);
      if (!asNobody) return;
      for (const name of ['..', '.', 'a.yaml', 'b.yaml', 'sub', 'sub/c.yaml']) chownSync(join(directory, name), NOBODY, NOBODY);
      process.seteuid?.(NOBODY);
    } });
    await scene.until('the first offer', () => scene.offers.length === 1);
    chmodSync(scene.path('a.yaml'), 0);
    await pause(300);
    // What was read before still counts: the content did not change, and whoever reads it anew learns of it.
    scene.write('b.yaml', `${TEXT}# b\n`);
    chmodSync(scene.path('sub'), 0);
    await scene.until('the folder', () => scene.texts()['sub/c.yaml'] === 'FILE_UNREADABLE');
    expect([...scene.offers.at(-1)!.unlisted.keys()]).toEqual(['sub/']);
    expect(scene.texts()['a.yaml']).toBe('FILE_UNREADABLE');
    chmodSync(scene.path('sub'), 0o755);
    chmodSync(scene.path('a.yaml'), 0o644);
    await scene.until('all again', () => scene.texts()['sub/c.yaml'] === TEXT && scene.texts()['a.yaml'] === TEXT);
    expect(scene.offers.at(-1)?.unlisted.size).toBe(0);
    chmodSync(scene.directory, 0);
    await scene.until('the directory', () => scene.problems.length === 1);
    expect(scene.problems[0]?.code).toBe('DIRECTORY_UNREADABLE');
    chmodSync(scene.directory, 0o755);
    await scene.until('the recovery', () => scene.said.at(-1) === 'recovered');
    expect(scene.offers.every(({ removed, documents }) => removed.size === 0 && documents.size === 3)).toBe(true);
  });

  it('[F2] [F4] says what is wrong with a file as a file: encoding, size, kind; a byte order mark and CRLF are content', async () => {
    await open({ before: (directory) => {
      writeFileSync(join(directory, 'latin1.yaml'), Buffer.from([0x61, 0xe9, 0x0a]));
      writeFileSync(join(directory, 'surrogate.yaml'), Buffer.from([0xed, 0xa0, 0x80, 0x0a]));
      writeFileSync(join(directory, 'bom.yaml'), `\ufeff${TEXT}`);
      writeFileSync(join(directory, 'crlf.yaml'), 'version: "1"\r\n');
      writeFileSync(join(directory, 'empty.yaml'), '');
      writeFileSync(join(directory, 'open-end.yaml'), 'version: "1"');
      writeFileSync(join(directory, 'large.yaml'), Buffer.alloc(20 * 1024 * 1024, '#'));
      writeFileSync(join(directory, 'full.yaml'), Buffer.alloc(1024 * 1024, '#'));
      execFileSync('mkfifo', [join(directory, 'pipe.yaml')]);
      mkdirSync(join(directory, 'folder.yaml'));
      writeFileSync(join(directory, 'folder.yaml', '__proto__.yml'), TEXT);
      writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff]), Buffer.from('.yaml')]), TEXT);
    } });
    const { 'full.yaml': full, ...others } = scene.texts();
    expect(full).toHaveLength(1024 * 1024);
    expect(others).toEqual({
      'latin1.yaml': 'FILE_NOT_UTF8', 'surrogate.yaml': 'FILE_NOT_UTF8', 'bom.yaml': `\ufeff${TEXT}`, 'crlf.yaml': 'version: "1"\r\n', 'empty.yaml': '', 'open-end.yaml': 'version: "1"',
      'large.yaml': 'FILE_TOO_LARGE', 'pipe.yaml': 'FILE_UNREADABLE', 'folder.yaml/__proto__.yml': TEXT, '\ufffd.yaml': 'FILE_UNREADABLE',
    });
    for (const [id, file] of scene.offers[0]!.documents) {
      if (file.kind === 'unreadable') expect(file.problem).toMatchObject({ file: id, line: 1, column: 1, severity: 'error', frame: null });
    }
  });
});

describe('many', () => {
  it('[F1] a thousand policies are one offer; one change among them reads one file and is told quickly', async () => {
    await open({ before: (directory) => {
      for (let n = 0; n < 1_000; n++) {
        writeFileSync(join(directory, `p${n}.yaml`), `${TEXT}# ${n}\n`);
        utimesSync(join(directory, `p${n}.yaml`), 1, 1);
      }
    } });
    expect(scene.offers[0]?.documents.size).toBe(1_000);
    const took = { rename: [] as number[], place: [] as number[] };
    for (let round = 0; round < 20; round++) {
      const how = round % 2 === 0 ? 'rename' : 'place';
      const text = `${TEXT}# changed ${'x'.repeat(round)}\n`;
      const before = scene.offers.length;
      const began = performance.now();
      if (how === 'rename') {
        writeFileSync(scene.path('.next'), text);
        renameSync(scene.path('.next'), scene.path('p500.yaml'));
      } else {
        writeFileSync(scene.path('p500.yaml'), text);
      }
      await scene.until('the change', () => scene.offers.length > before);
      took[how].push(performance.now() - began);
      expect([...scene.offers.at(-1)!.changed]).toEqual(['p500.yaml']);
      const [first, last] = [scene.offers[0]!.documents, scene.offers.at(-1)!.documents];
      for (const [id, file] of first) if (id !== 'p500.yaml') expect(last.get(id) === file).toBe(true);
      await pause(30);
    }
    const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1]!;
    console.log(`one change among 1,000: by rename p50 ${median(took.rename).toFixed(1)} ms, in place p50 ${median(took.place).toFixed(1)} ms`);
    expect(median(took.place)).toBeLessThan(1_000);
    const [began, cpu] = [performance.now(), process.cpuUsage()];
    await scene.watcher.scanNow();
    const used = process.cpuUsage(cpu);
    console.log(`one look at 1,000: ${(performance.now() - began).toFixed(1)} ms, of it CPU ${((used.user + used.system) / 1_000).toFixed(1)} ms`);
  });
});
