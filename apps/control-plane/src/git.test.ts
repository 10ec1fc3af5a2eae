import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gitFacts } from './git.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'portcullis-git-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

function git(...args: readonly string[]): string {
  const env = { PATH: process.env.PATH, HOME: root, GIT_CONFIG_NOSYSTEM: '1' };
  return execFileSync('git', ['-c', 'user.name=Änna', '-c', 'user.email=anna@example.org', ...args], { cwd: root, env, stdio: 'pipe' }).toString();
}

/** A checkout with the policies in a folder of it. */
function checkout(files: Readonly<Record<string, string>>): string {
  git('init', '--quiet', '--initial-branch=main');
  const policies = join(root, 'policies');
  mkdirSync(policies, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(policies, name), text);
  git('add', '.');
  git('commit', '--quiet', '--message', 'Allow less\n\nat night');
  return policies;
}

describe('git facts', () => {
  it('name the commit, the branch, the claimed author and the subject where the files are the commit\'s', async () => {
    const policies = checkout({ 'a.yaml': 'a', 'ü b.yaml': 'b' });
    const facts = await gitFacts(policies, new Map([['a.yaml', Buffer.from('a')], ['ü b.yaml', Buffer.from('b')], ['gone.yaml', null]]));
    expect(facts).toEqual({ commit: git('rev-parse', 'HEAD').trim(), branch: 'main', claimedAuthor: 'Änna <anna@example.org>', subject: 'Allow less' });
  });

  it('are not claimed for what differs from the commit, is not in it, or is gone but still in it', async () => {
    const policies = checkout({ 'a.yaml': 'a' });
    expect(await gitFacts(policies, new Map([['a.yaml', Buffer.from('other')]]))).toBeNull();
    expect(await gitFacts(policies, new Map([['a.yaml', Buffer.from('a')], ['new.yaml', Buffer.from('n')]]))).toBeNull();
    expect(await gitFacts(policies, new Map([['a.yaml', null]]))).toBeNull();
    expect(await gitFacts(policies, new Map())).toBeNull();
  });

  it('are none outside a checkout, and in one without a commit', async () => {
    expect(await gitFacts(root, new Map([['a.yaml', Buffer.from('a')]]))).toBeNull();
    git('init', '--quiet');
    expect(await gitFacts(root, new Map([['a.yaml', Buffer.from('a')]]))).toBeNull();
  });

  it('have no branch where none is checked out', async () => {
    const policies = checkout({ 'a.yaml': 'a' });
    git('checkout', '--quiet', '--detach');
    expect(await gitFacts(policies, new Map([['a.yaml', Buffer.from('a')]]))).toMatchObject({ branch: null });
  });

  it('run nothing that the checkout\'s own configuration names', async () => {
    const policies = checkout({ 'a.yaml': 'a' });
    const trap = `touch ${join(root, 'trapped')}; false`;
    for (const key of ['core.fsmonitor', 'core.pager', 'core.sshCommand', 'core.alternateRefsCommand', 'gpg.program', 'core.editor', 'diff.external']) git('config', key, trap);
    git('config', 'log.showSignature', 'true');
    mkdirSync(join(root, 'hooks'));
    writeFileSync(join(root, 'hooks', 'post-index-change'), `#!/bin/sh\n${trap}\n`, { mode: 0o755 });
    git('config', 'core.hooksPath', join(root, 'hooks'));
    rmSync(join(root, 'trapped'), { force: true });
    expect(await gitFacts(policies, new Map([['a.yaml', Buffer.from('a')]]))).not.toBeNull();
    expect(existsSync(join(root, 'trapped'))).toBe(false);
  });

  /** What the plane runs as git from now on. */
  function gitIs(script: string): void {
    mkdirSync(join(root, 'bin'));
    writeFileSync(join(root, 'bin', 'git'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${join(root, 'bin')}${delimiter}${process.env.PATH ?? ''}`);
  }

  it('are read from a checkout of another user, also through a symbolic link', async () => {
    const policies = checkout({ 'a.yaml': 'a' });
    const real = execFileSync('sh', ['-c', 'command -v git']).toString().trim();
    // Git's own way of testing this without a second user.
    gitIs(`GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec ${real} "$@"`);
    expect(() => execFileSync('git', ['-C', policies, 'rev-parse', 'HEAD'], { stdio: 'pipe' })).toThrow(/dubious ownership/);
    const link = `${root}-link`;
    symlinkSync(root, link);
    try {
      for (const directory of [policies, join(link, 'policies')]) {
        const said: string[] = [];
        expect(await gitFacts(directory, new Map([['a.yaml', Buffer.from('a')]]), (why) => said.push(why)), said.join()).toMatchObject({ branch: 'main', subject: 'Allow less' });
      }
    } finally {
      rmSync(link);
    }
  });

  it('are missing with a reason where git does not answer, and without one where there is nothing to say', async () => {
    const said: string[] = [];
    const ask = (directory: string) => gitFacts(directory, new Map([['a.yaml', Buffer.from('a')]]), (why) => said.push(why));
    git('init', '--quiet');
    expect(await ask(root)).toBeNull();
    const policies = checkout({ 'a.yaml': 'other' });
    expect(await ask(policies)).toBeNull();
    expect(said).toEqual([]);
    gitIs('echo "fatal: it is broken" >&2; echo more >&2; exit 128');
    expect(await ask(policies)).toBeNull();
    vi.stubEnv('PATH', root);
    expect(await ask(policies)).toBeNull();
    expect(said).toEqual(['fatal: it is broken', 'no git is installed']);
  });
});
