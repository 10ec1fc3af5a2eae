/** Ways in which people and programs save files, each on the real file system: what is offered, and what never is. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync, symlinkSync, truncateSync, unlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openScene, pause } from './scene.ts';
import type { Scene, SceneOptions } from './scene.ts';

const OLD = 'version: "1"\ndescription: the old one\n';
const NEW = 'version: "1"\ndescription: the new one, a little longer\n';
const hasVim = ((): boolean => {
  try {
    execFileSync('vim', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

let scene: Scene;
const open = async (options?: SceneOptions) => (scene = await openScene(options));
afterEach(() => scene.end());

/** Each: one save of a.yaml, from OLD to NEW, as a program does it. */
const SAVES: readonly (readonly [string, (path: string) => void | Promise<void>])[] = [
  ['in place (writeFile, VS Code)', (path) => writeFileSync(path, NEW)],
  ['in place, truncated first and written 15 ms later', async (path) => {
    truncateSync(path);
    await pause(15);
    writeFileSync(path, NEW);
  }],
  ['by rename (VS Code atomic, sed -i, most tools)', (path) => {
    const file = openSync(`${path}.tmp`, 'w');
    writeSync(file, NEW);
    fsyncSync(file);
    closeSync(file);
    renameSync(`${path}.tmp`, path);
  }],
  ['vim, backupcopy=no: rename away, create, remove the backup', (path) => {
    writeFileSync(join(path, '..', '4913'), '');
    unlinkSync(join(path, '..', '4913'));
    renameSync(path, `${path}~`);
    writeFileSync(path, NEW);
    unlinkSync(`${path}~`);
  }],
  ['vim, backupcopy=yes: copy to a backup, write in place', (path) => {
    writeFileSync(`${path}~`, OLD);
    writeFileSync(path, NEW);
    unlinkSync(`${path}~`);
  }],
  ['Emacs: lock link, backup by rename, new file', async (path) => {
    const lock = join(path, '..', '.#a.yaml');
    symlinkSync('someone@host.1234:1700000000', lock);
    writeFileSync(join(path, '..', '#a.yaml#'), NEW);
    await pause(5);
    renameSync(path, `${path}~`);
    writeFileSync(path, NEW);
    unlinkSync(lock);
    unlinkSync(join(path, '..', '#a.yaml#'));
  }],
  ['JetBrains: write ___jb_tmp___, keep ___jb_old___, rename', (path) => {
    writeFileSync(`${path}___jb_tmp___`, NEW);
    renameSync(path, `${path}___jb_old___`);
    renameSync(`${path}___jb_tmp___`, path);
    unlinkSync(`${path}___jb_old___`);
  }],
  ['removed and created anew 100 ms later', async (path) => {
    unlinkSync(path);
    await pause(100);
    writeFileSync(path, NEW);
  }],
];

describe.each([false, true])('pollOnly %s', (pollOnly) => {
  it.each(SAVES)('[F1] [F4] one save is one offer of the new content and of nothing else: %s', async (_name, save) => {
    await open({ pollOnly, before: (directory) => writeFileSync(join(directory, 'a.yaml'), OLD) });
    await pause(20);
    await save(scene.path('a.yaml'));
    await scene.until('the new content', () => scene.texts()['a.yaml'] === NEW);
    await scene.rest();
    expect(scene.offers.map(({ documents }) => [...documents.keys()])).toEqual([['a.yaml'], ['a.yaml']]);
    expect([...scene.offers[1]!.changed]).toEqual(['a.yaml']);
  });

  it('[F1] creates, changes, renames, removes, in folders too; documents keep their objects while they are unchanged', async () => {
    await open({ pollOnly });
    expect(scene.offers[0]?.documents.size).toBe(0);
    scene.write('a.yaml', OLD);
    scene.write('teams/x/b.yml', OLD);
    await scene.until('both', () => scene.offers.at(-1)?.documents.size === 2);
    const kept = scene.offers.at(-1)?.documents.get('teams/x/b.yml');
    scene.write('a.yaml', NEW);
    await scene.until('the change', () => scene.texts()['a.yaml'] === NEW);
    expect(scene.offers.at(-1)?.documents.get('teams/x/b.yml')).toBe(kept);
    renameSync(scene.path('a.yaml'), scene.path('c.yaml'));
    await scene.until('the rename', () => 'c.yaml' in scene.texts());
    expect(scene.texts()).toEqual({ 'c.yaml': NEW, 'teams/x/b.yml': OLD });
    expect([...scene.offers.at(-1)!.changed, ...scene.offers.at(-1)!.removed]).toEqual(['c.yaml', 'a.yaml']);
    renameSync(scene.path('teams'), scene.path('people'));
    await scene.until('the folder', () => 'people/x/b.yml' in scene.texts());
    rmSync(scene.path('people'), { recursive: true });
    await scene.until('the removal', () => scene.offers.at(-1)?.documents.size === 1);
    expect([...scene.offers.at(-1)!.removed]).toEqual(['people/x/b.yml']);
  });
});

describe('what happens on the way', () => {
  it.runIf(hasVim).each(['nobackup backupcopy=no', 'backup backupcopy=no', 'backupcopy=yes'])('[F1] the real vim saves (%s)', async (settings) => {
    await open({ before: (directory) => writeFileSync(join(directory, 'a.yaml'), OLD) });
    execFileSync('vim', ['-u', 'NONE', '-N', '-es', '-c', `set ${settings}`, '-c', '%s/the old one/the new one, a little longer/', '-c', 'wq', scene.path('a.yaml')], { stdio: 'ignore' });
    await scene.until('the new content', () => scene.texts()['a.yaml'] === NEW);
    await scene.rest();
    expect(scene.offers).toHaveLength(2);
  });

  it('[F4] whenever a second write follows the first, the last content is offered, and nothing after it', async () => {
    await open({ before: (directory) => writeFileSync(join(directory, 'a.yaml'), OLD) });
    for (let gap = 5; gap <= 100; gap += 5) {
      const from = scene.offers.length;
      const [first, second] = [`${OLD}# first ${gap}\n`, `${NEW}# second ${gap}, longer than the first\n`];
      writeFileSync(scene.path('a.yaml'), first);
      await pause(gap);
      writeFileSync(scene.path('a.yaml'), second);
      await scene.until(`the second write after ${gap} ms`, () => scene.texts()['a.yaml'] === second);
      await pause(60);
      const seen = scene.offers.slice(from).map(({ documents }) => documents.get('a.yaml')).map((file) => (file?.kind === 'content' ? file.bytes.toString() : file?.problem.code));
      expect([[second], [first, second]]).toContainEqual(seen);
    }
  });

  it.each([
    [false, 'what the file held is in force', undefined],
    [true, 'what the file held is in force', undefined],
    [false, 'what is in force is less: the file was refused, or rolled back', { bytes: 1 }],
  ])('[F4] a file written in two halves 100 ms apart is never offered by half, though the half is valid (pollOnly %s; %s)', async (pollOnly, _what, inForce) => {
    const rules = Array.from({ length: 40 }, (_, n) => `  tool_${n}: { rules: [{ action: deny }] }\n`);
    const [half, rest] = [`version: "1"\ntools:\n${rules.slice(0, 20).join('')}`, rules.slice(20).join('')];
    await open({ pollOnly, before: (directory) => writeFileSync(join(directory, 'a.yaml'), half + rest), ...(inForce === undefined ? {} : { watch: { inForce: () => inForce } }) });
    for (let round = 0; round < 3; round++) {
      const text = `${half}${rest}  last_${round}: { rules: [{ action: deny }] }\n`;
      truncateSync(scene.path('a.yaml'));
      appendFileSync(scene.path('a.yaml'), half);
      await pause(100);
      appendFileSync(scene.path('a.yaml'), text.slice(half.length));
      await scene.until('the whole', () => scene.texts()['a.yaml'] === text);
    }
    await scene.rest();
    expect(scene.offers).toHaveLength(4);
  });

  it('[F1] files saved within the quiet time of each other are one offer', async () => {
    await open();
    scene.write('a.yaml', OLD);
    await pause(10);
    scene.write('b.yaml', OLD);
    await pause(10);
    scene.write('c/d.yaml', OLD);
    await scene.until('all', () => scene.offers.at(-1)?.documents.size === 3);
    expect(scene.offers).toHaveLength(2);
  });

  it('[F1] nothing is offered for what changes no content: touch, chmod, the same text again, swap files, other files', async () => {
    await open({ before: (directory) => writeFileSync(join(directory, 'a.yaml'), OLD) });
    utimesSync(scene.path('a.yaml'), 1, 1);
    await pause(60);
    writeFileSync(scene.path('a.yaml'), OLD);
    linkSync(scene.path('a.yaml'), join(scene.beside, 'hard-link'));
    for (const name of ['.a.yaml.swp', 'a.yaml~', '4913', '#a.yaml#', '.#b.yaml', 'b.yaml.tmp', 'b.yaml___jb_tmp___', '.git/x.yaml', '.hidden/b.yaml', 'README.md', '..data/c.yaml']) scene.write(name, NEW);
    symlinkSync('nowhere@host.1:2', scene.path('.#a.yaml'));
    await scene.rest();
    expect(scene.offers).toHaveLength(1);
  });

  it('[F4] the same size and modification time do not hide a rewrite', async () => {
    await open({ before: (directory) => writeFileSync(join(directory, 'a.yaml'), 'aaaa\n') });
    await pause(30);
    writeFileSync(scene.path('a.yaml'), 'bbbb\n');
    utimesSync(scene.path('a.yaml'), 1, 1);
    await scene.until('b', () => scene.texts()['a.yaml'] === 'bbbb\n');
    writeFileSync(scene.path('a.yaml'), 'cccc\n');
    utimesSync(scene.path('a.yaml'), 1, 1);
    await scene.until('c', () => scene.texts()['a.yaml'] === 'cccc\n');
    expect(scene.offers).toHaveLength(3);
  });

  it('events alone find every change at once: new, replaced and moved folders, and a replaced directory', async () => {
    // No regular look comes to help while this test runs.
    await open({ watch: { rescanMs: 3_600_000 }, before: (directory) => {
      mkdirSync(join(directory, 'sub'));
      writeFileSync(join(directory, 'sub', 'a.yaml'), OLD);
    } });
    const expectTexts = (texts: Record<string, string>) => scene.until(JSON.stringify(Object.keys(texts)), () => JSON.stringify(scene.texts()) === JSON.stringify(texts));
    for (let round = 0; round < 3; round++) {
      rmSync(scene.path('sub'), { recursive: true });
      scene.write('sub/a.yaml', `${OLD}# ${round}\n`);
      await expectTexts({ 'sub/a.yaml': `${OLD}# ${round}\n` });
      await pause(round * 50);
      scene.write('sub/a.yaml', `${NEW}# ${round} again\n`);
      await expectTexts({ 'sub/a.yaml': `${NEW}# ${round} again\n` });
    }
    mkdirSync(scene.path('x/y/z'), { recursive: true });
    await pause(200);
    scene.write('x/y/z/b.yaml', OLD);
    await scene.until('a file in new folders', () => scene.texts()['x/y/z/b.yaml'] === OLD);
    renameSync(scene.path('x'), scene.path('w'));
    await scene.until('the moved folder', () => scene.texts()['w/y/z/b.yaml'] === OLD && !('x/y/z/b.yaml' in scene.texts()));
    scene.write('w/y/z/b.yaml', NEW);
    await scene.until('a file in the moved folder', () => scene.texts()['w/y/z/b.yaml'] === NEW);
    for (let round = 0; round < 3; round++) {
      rmSync(scene.directory, { recursive: true });
      scene.write('a.yaml', `${OLD}# ${round}\n`);
      await expectTexts({ 'a.yaml': `${OLD}# ${round}\n` });
      scene.write('a.yaml', `${NEW}# ${round} again\n`);
      await expectTexts({ 'a.yaml': `${NEW}# ${round} again\n` });
    }
    expect(scene.watcher.status()).toMatchObject({ state: 'watching', hints: true, unsettled: 0 });
  });

  it('[F4] one file that is written without end holds up no other, and is offered when it rests', async () => {
    await open({ before: (directory) => writeFileSync(join(directory, 'a.yaml'), OLD) });
    const busy = setInterval(() => appendFileSync(scene.path('busy.yaml'), `# ${performance.now()}\n`), 8);
    try {
      await pause(50);
      scene.write('a.yaml', NEW);
      await scene.until('the other', () => scene.texts()['a.yaml'] === NEW, 8_000);
      expect(scene.texts()['busy.yaml']).toBe('FILE_UNREADABLE');
    } finally {
      clearInterval(busy);
    }
    await scene.until('the busy one at rest', () => scene.texts()['busy.yaml']?.startsWith('# ') === true);
    expect(existsSync(scene.path('busy.yaml'))).toBe(true);
  });

  it('[F1] says when nothing more comes: no callback after close, and closing twice is harmless', async () => {
    await open();
    await scene.watcher.close();
    scene.write('a.yaml', OLD);
    await pause(150);
    await scene.watcher.scanNow();
    await scene.watcher.close();
    expect(scene.said).toEqual(['offer']);
    mkdirSync(scene.path('later'));
  });
});
