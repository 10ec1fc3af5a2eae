/** The help is complete, and docs/cli.md names every command and option. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { EXIT } from './exit.ts';
import { programFor, run } from './program.ts';
import type { Terminal } from './terminal.ts';

function pretend(): Terminal & { readonly said: string[] } {
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  return { said, out: say, err: say, progress: () => undefined, input: Readable.from([]), env: { PORTCULLIS_HOME: '/nowhere' }, cwd: '/', interactive: false, now: () => 0, signal: new AbortController().signal };
}

function leaves(command: Command, path: readonly string[] = []): readonly { readonly path: string; readonly command: Command }[] {
  const own = { path: path.join(' '), command };
  const below = command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
  return below.length === 0 ? [own] : path.length > 0 && command.name() === 'log' ? [own, ...below] : below;
}

const COMMANDS = leaves(programFor(pretend(), () => undefined));
const DOCS = readFileSync(join(import.meta.dirname, '../../../../docs/cli.md'), 'utf8');

describe('the command line', () => {
  it('is what the design promises to other programs', () => {
    expect(COMMANDS.map(({ path }) => path).sort()).toEqual([
      'check', 'confirm', 'diff', 'enforced', 'eval', 'hold list', 'hold release', 'host list', 'host relabel', 'host revoke', 'hosts', 'join-token create', 'join-token list', 'join-token revoke',
      'key rotate', 'lift', 'lockdown', 'log', 'log erase', 'log export', 'log restore', 'log verify', 'proxies', 'restrict', 'rollback', 'schema', 'serve', 'show', 'status', 'tail', 'token create', 'token list', 'token revoke',
    ]);
  });

  for (const { path, command } of COMMANDS) {
    it(`${path} says what it is, has --json, and is in docs/cli.md with its options`, () => {
      expect(command.description()).not.toBe('');
      expect(command.options.map((option) => option.long)).toContain('--json');
      for (const word of path.split(' ')) expect(DOCS).toContain(word);
      for (const { long } of command.options) if (long !== '--reason') expect(DOCS, String(long)).toContain(String(long));
    });
  }

  it('says which version it is', async () => {
    const terminal = pretend();
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { readonly version: string };
    expect(await run(['--version'], terminal)).toBe(0);
    expect(terminal.said).toEqual([`portcullis ${version}`]);
  });

  it('documents every exit code in the help and in docs/cli.md', async () => {
    const terminal = pretend();
    expect(await run(['--help'], terminal)).toBe(0);
    for (const code of Object.values(EXIT)) {
      expect(terminal.said.join('\n')).toMatch(new RegExp(`\\b${code}\\b`));
      expect(DOCS).toContain(`| ${code} |`);
    }
  });
});
