import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { check, checkDocuments } from './check.ts';
import { evaluateCalls } from './eval.ts';
import type { Terminal } from './terminal.ts';

let root: string;
beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-check-names-')));
  for (const directory of ['policies/team-a', 'policies/team-b', 'below', 'shouted']) mkdirSync(join(root, directory), { recursive: true });
  for (const file of ['policies/github.yaml', 'policies/team-a/mail.yaml', 'policies/team-b/chat.yml', 'below/x.yaml']) writeFileSync(join(root, file), 'version: "1"\n');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function told(named: readonly string[], cwd = root): readonly string[] {
  return checkDocuments(named, cwd).problems.map(({ file, code, severity }) => `${severity} ${code} ${file}`);
}

describe('the names of documents', () => {
  it('are the paths below the named directory, however that is named', () => {
    const policies = join(root, 'policies');
    const ways: readonly (readonly [cwd: string, named: readonly string[]])[] = [
      [root, ['policies']], [root, ['policies/']], [root, ['./policies']], [policies, ['.']], [policies, ['./']], [join(root, 'below'), ['../policies']], [join(root, 'below'), [policies]],
      [policies, ['github.yaml']], [policies, ['./github.yaml']], [join(root, 'below'), ['../policies/github.yaml']], [root, [join(policies, 'github.yaml')]],
      [root, ['./policies/github.yaml', join(policies, 'team-a/mail.yaml'), 'below/../policies/team-b/chat.yml']],
      [root, ['policies/github.yaml', './policies/github.yaml']],
    ];
    for (const [cwd, named] of ways) expect(told(named, cwd), `${named.join(' ')} in ${cwd}`).toEqual([]);
  });

  it('tell files of one name apart where they are named one by one', () => {
    writeFileSync(join(root, 'policies/team-b/mail.yaml'), 'version: "1"\n');
    expect(told(['./policies/team-a/mail.yaml', './policies/team-b/mail.yaml'])).toEqual(['warning STEM_TWICE ./policies/team-b/mail.yaml']);
    rmSync(join(root, 'policies/team-b/mail.yaml'));
  });

  it('are shown as the person named them, in every kind of problem', () => {
    writeFileSync(join(root, 'policies/team-a/bad.yaml'), 'version: "1"\nrulez: 1\n');
    writeFileSync(join(root, 'policies/team-a/fails.yaml'), 'version: "1"\ntests: [{ name: t, call: { tool: a }, expect: deny }]\n');
    const expected = (prefix: string): readonly string[] => [`error UNKNOWN_KEY ${prefix}/team-a/bad.yaml`, `error TEST_FAILED ${prefix}/team-a/fails.yaml`];
    expect(told(['./policies'])).toEqual(expected('./policies'));
    expect(told(['.'], join(root, 'policies'))).toEqual(expected('.'));
    expect(told([join(root, 'policies')])).toEqual(expected(join(root, 'policies')));
    expect(told(['../policies/team-a/bad.yaml'], join(root, 'below'))).toEqual(['error UNKNOWN_KEY ../policies/team-a/bad.yaml']);
    for (const file of ['bad', 'fails']) rmSync(join(root, `policies/team-a/${file}.yaml`));
  });

  it('that no policy can have are still refused', () => {
    writeFileSync(join(root, 'below/back\\slash.yaml'), 'version: "1"\n');
    expect(told(['./below'])).toEqual(['error POLICY_ID ./below/back\\slash.yaml']);
    rmSync(join(root, 'below/back\\slash.yaml'));
    writeFileSync(join(root, 'shouted/LOUD.YAML'), 'version: "1"\n');
    expect(told(['shouted/LOUD.YAML'])).toEqual(['error POLICY_ID shouted/LOUD.YAML']);
  });

  it('that look like policies and are none are warned of, because they may be guards', () => {
    writeFileSync(join(root, 'shouted/LOUD.YAML'), 'version: "1"\n');
    writeFileSync(join(root, 'shouted/notes.txt'), '');
    expect(told(['./shouted'])).toEqual(['warning POLICY_ID ./shouted/LOUD.YAML']);
  });

  it('do not matter to eval: any path to a document asks the same policy', async () => {
    for (const policy of ['policies/github.yaml', './policies/github.yaml', 'below/../policies/github.yaml', join(root, 'policies/github.yaml')]) {
      const said: string[] = [];
      const terminal: Terminal = {
        out: (text) => void said.push(text), err: (text) => void said.push(text), progress: () => undefined, input: Readable.from(['{"tool":"a"}\n']),
        env: {}, cwd: root, interactive: false, now: () => 0, signal: new AbortController().signal,
      };
      expect(await evaluateCalls({ policy }, terminal), policy).toBe(0);
      expect(said.map((text) => (JSON.parse(text) as { decision: string }).decision), policy).toEqual(['allow']);
    }
  });
});

it('says of what is not there one thing', async () => {
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  const terminal: Terminal = { out: say, err: say, progress: () => undefined, input: Readable.from([]), env: {}, cwd: root, interactive: false, now: () => 0, signal: new AbortController().signal };
  expect(await check(['nosuch'], {}, terminal)).toBe(1);
  expect(said.join('\n')).toMatch(/^nosuch:1:1: error FILE_UNREADABLE cannot be read: there is no such file.*\n0 files: 1 error/);
});
