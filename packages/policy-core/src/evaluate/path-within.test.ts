import { describe, expect, it } from 'vitest';
import { FAILS, HOLDS, UNFIT } from './judged.ts';
import { compilePathWithin } from './path-within.ts';

const NAMES = new Map([[FAILS, 'outside'], [HOLDS, 'inside'], [UNFIT, 'unfit']] as const);

function judge(text: string, ...directories: string[]): string | undefined {
  return NAMES.get(compilePathWithin(directories)(text));
}

describe('path_within', () => {
  it.each([
    '/srv/data', '/srv/data/', '/srv/data/a', '/srv/data//a', '/srv//data/a', '/srv/data/./a', '/srv/data/x/../a', '/srv/../srv/data/a',
    '/srv/data/a/..', '/../srv/data/a', '/srv/data/.hidden', '/srv/data/a b', '/srv/data/ä', '/srv/data/日本', '/srv/data/a%b', '/srv/data/100%', '/srv/data/a:b', '/srv/data/a~1',
    '/srv/data/a%20b', '/srv/data/a\\b', '/srv/data/a;b', '/srv/data/a;v=1/b', '/srv/data/½', '/srv/data/（旧）', '/srv/data/１００％', '/srv/data/Report…1.pdf', '/srv/data/¥100', '/srv/data/List::Util.3pm',
  ])('%j is inside', (path) => {
    expect(judge(path, '/srv/data')).toBe('inside');
    expect(judge(path, '/srv/data/')).toBe('inside');
    expect(judge(path, '/elsewhere', '/srv/data')).toBe('inside');
    expect(judge(path, '/')).toBe('inside');
  });

  it.each(['/', '/srv', '/srv/dat', '/srv/database', '/srv/data-other/a', '/etc/passwd', '/srv/data/../x', '/srv/data/a/../../x', '/srv/data/../../etc/passwd', '/srv/data/..', '/srv/./x', '/x/srv/data/a', '/srv/data\\..\\..\\etc'])(
    '%j is outside',
    (path) => {
      expect(judge(path, '/srv/data')).toBe('outside');
    },
  );

  it.each([
    ['escaped dots', '/srv/data/%2e%2e/%2e%2e/etc/passwd'],
    ['escaped dots, upper case', '/srv/data/%2E%2E/x'],
    ['half escaped dots', '/srv/data/.%2e/x'],
    ['escaped separators', '/srv/data/..%2f..%2fetc/passwd'],
    ['escaped twice', '/srv/data/%252e%252e/x'],
    ['escaped three times', '/srv/data/%25252e%25252e/x'],
    ['escaped more often than anybody decodes', '/srv/data/%25252525252e%25252525252e/x'],
    ['overlong UTF-8', '/srv/data/%c0%ae%c0%ae/x'],
    ['an escaped NUL', '/srv/data/a%00.txt'],
    ['an escape beside a stray percent sign', '/srv/data/%zz%2e%2e/x'],
    ['backslashes after a directory', '/srv/data/..\\x'],
    ['an escaped backslash', '/srv/data/%5c..%5c..%5cx'],
    ['NUL', '/srv/data/a\0/../../etc'],
    ['a newline', '/srv/data/a\n'],
    ['DEL', '/srv/data/\x7f'],
    ['a C1 control', '/srv/data/\x85'],
    ['a line separator', '/srv/data/\u2028'],
    ['a name that ends in a dot', '/srv/data./a'],
    ['three dots', '/srv/data/.../a'],
    ['dots and a space', '/srv/data/.. /x'],
    ['a trailing space', '/srv/data/a '],
    ['dots and a space of another kind', '/srv/data/..\u00a0/x'],
    ['dots and a wide space', '/srv/data/..\u3000/x'],
    ['dots and a character that is dropped', '/srv/data/..\u200c/x'],
    ['dots around one', '/srv/data/.\u200d./x'],
    ['a name of nothing else', '/srv/data/\u200b/../x'],
    ['a leading space', ' /srv/data/a'],
    ['not NFC', '/srv/data/e\u0301'],
    ['not NFC once decoded', '/srv/data/e%CC%81'],
    ['a lone surrogate', '/srv/data/\ud800'],
    ['a relative path', 'srv/data/a'],
    ['nothing', ''],
    ['a home directory', '~/data'],
    ['a home directory of somebody', '~root/x'],
    ['a variable', '$HOME/x'],
    ['a file URI', 'file:///srv/data/a'],
    ['a file URI, spelled otherwise', 'FILE:/srv/data/a'],
    ['another URI', 'https://example.com/srv/data/a'],
    ['a Windows path', 'C:\\srv\\data'],
    ['a UNC path', '\\\\server\\share'],
    ['a device path', '\\\\?\\C:\\x'],
    ['another case of letters', '/SRV/Data/a'],
    ['full-width dots', '/srv/data/．．/x'],
    ['a two-dot leader', '/srv/data/‥/x'],
    ['one-dot leaders', '/srv/data/․․/x'],
    ['small full stops', '/srv/data/﹒﹒/x'],
    ['a full-width solidus', '/srv/data/..／x'],
    ['a full-width reverse solidus', '/srv/data/..＼x'],
    ['a division slash', '/srv/data/..∕x'],
    ['a fraction slash', '/srv/data/..⁄x'],
    ['a yen sign', '/srv/data/..¥..¥x'],
    ['escaped full-width dots', '/srv/data/%ef%bc%8e%ef%bc%8e/x'],
    ['full-width escapes', '/srv/data/％２ｅ％２ｅ/x'],
    ['half full-width escapes', '/srv/data/%２e%２e/x'],
    ['a full-width percent sign', '/srv/data/％2e％2e/x'],
    ['escapes of IIS', '/srv/data/%u002e%u002e/x'],
    ['full-width escapes of IIS', '/srv/data/％u002e％u002e/x'],
    ['path parameters', '/srv/data/..;/x'],
    ['path parameters with a value', '/srv/data/..;a=b/x'],
    ['escaped path parameters', '/srv/data/..%3b/x'],
    ['full-width path parameters', '/srv/data/．．；a/x'],
    ['two leading slashes', '//srv/data/a'],
    ['three of them', '///srv/data/a'],
    ['two leading separators of two kinds', '/\\srv/data/a'],
    ['two leading full-width slashes', '／／srv/data/a'],
    ['not NFC without a character that is not seen', '/srv/data/e\u200c\u0301'],
    ['a stream', '/srv/data/x::$DATA'],
    ['a stream of a directory', '/srv/data/..::$INDEX_ALLOCATION/x'],
    ['a named stream', '/srv/data/x:y:$DATA'],
    ['too many ways to read it', `/srv/data/${Array.from({ length: 12 }, (_, n) => `%${'25'.repeat(n)}41;`).join('/')}`],
    ['longer than any path', `/srv/data/${'a/'.repeat(20_000)}`],
  ])('refuses %s', (_, path) => {
    expect(judge(path, '/srv/data')).toBe('unfit');
  });

  it('compares relative directories with relative paths that do not climb', () => {
    expect(['src', 'src/a', './src/a', 'src/../src/a'].map((path) => judge(path, 'src'))).toEqual(Array(4).fill('inside'));
    expect(['srca', 'lib/a', 'src/../lib'].map((path) => judge(path, 'src'))).toEqual(Array(3).fill('outside'));
    expect(['../src/a', '/src/a', 'src/../../src/a', '~/src'].map((path) => judge(path, 'src'))).toEqual(Array(4).fill('unfit'));
    expect(['a', 'a/b', '.', ''].map((path) => judge(path, '.'))).toEqual(Array(4).fill('inside'));
  });

  it('compares directories with a drive letter as Windows does', () => {
    const inside = ['C:\\data', 'c:/data/a', 'C:\\DATA\\a', 'C:\\data\\x\\..\\a', 'C:/data\\a'];
    expect(inside.map((path) => judge(path, 'C:\\data'))).toEqual(inside.map(() => 'inside'));
    const outside = ['D:\\data\\a', 'C:\\database', 'C:\\data\\..\\x', 'C:\\'];
    expect(outside.map((path) => judge(path, 'C:\\data'))).toEqual(outside.map(() => 'outside'));
    const unfit = ['C:data\\a', '\\data\\a', '/data/a', 'C:\\data\\a.txt:stream', 'C:\\PROGRA~1', 'C:\\data.\\a', '\\\\?\\C:\\data\\a', 'C:\\data\\%2e%2e\\x'];
    expect(unfit.map((path) => judge(path, 'C:\\data'))).toEqual(unfit.map(() => 'unfit'));
  });

  it.each(['file:///srv', '~/data', '..', '/srv/\0', '/srv/data ', '/srv/e\u0301', '', '/a/../b', '/a/%2e', '/a/%2e%2e/b', '/x*', '/x/**', '/x?', '/a;b', '/a/．．/b', 'C:\\a\\..\\b'])('does not take %j for a directory', (directory) => {
    expect(() => compilePathWithin([directory])).toThrow(/path_within/);
  });

  // As a deny list: what is not certain to be outside is denied.
  it.each([
    '/srv/.git/config', '/srv/.g\u200cit/config', '/srv/\u200c.git/config', '/srv/.git\u200c/config', '/srv/.g\ufe0fit/x', '/srv/.\u034fgit/x', '/s\u00adrv/.git/x',
    '/srv/.ｇit/x', '/srv/．git/x', '/srv/.ＧＩＴ/x', '/srv/.𝐠it/x', '/srv/.git:x', '/srv/.git:x/config', '/srv/.GIT：x', '/srv:x/.git/config', '/srv/GIT~1/config', '/srv/git～2', '/srv/GI1A2B~1/x', '/srv/.Git', '/srv/x/../.g\u200bit',
    '/srv/%2egit', '/srv/.g%e2%80%8cit', '/srv/.git;x', '//srv/.git', '/srv\\.git', '/srv/.git.', '/srv/.git ',
  ])('does not take %j for anything outside of /srv/.git', (path) => {
    expect(['inside', 'unfit']).toContain(judge(path, '/srv/.git'));
    expect(['inside', 'unfit']).toContain(judge(path, '/elsewhere', '/srv/.git'));
  });

  it('refuses names that are like those of a directory in its drive, but for case', () => {
    const unfit = ['C:\\.g\u200cit\\x', 'C:\\.ｇit', 'C:\\.git:x', 'C:\\GIT~1', 'C://.git'];
    expect(unfit.map((path) => judge(path, 'C:\\.git'))).toEqual(unfit.map(() => 'unfit'));
    expect(judge('C:\\.GIT\\x', 'C:\\.git')).toBe('inside');
  });

  it.each([
    ['/etc/passwd', ['/e\u200btc/passwd', '/ｅtc/passwd', '/etc:x/passwd', '/ETC/passwd'], ['/etc/shadow', '/etc/passw~1', '/e~1/passwd', '/etcetera/passwd', '/x:etc/passwd']],
    ['/srv/.git', [], ['/srv/git', '/srv/.gitignore', '/srv/file.txt.~1~', '/srv/notes~', '/srv/12:30', '/srv/a\u200cb', '/srv/ｇit', '/srv/.github:x', '/srv/.git-crypt~1']],
    ['/srv/a:b', ['/srv/A:b'], ['/srv/a:c', '/srv/a']],
  ])('tells what is like %j from what is not', (directory, like, unlike) => {
    expect(like.map((path) => judge(path, directory))).toEqual(like.map(() => 'unfit'));
    expect(unlike.map((path) => judge(path, directory))).toEqual(unlike.map(() => 'outside'));
  });

  it('takes directories of any script, and full-width punctuation in them', () => {
    expect(judge('/srv/データ（旧）/a', '/srv/データ（旧）')).toBe('inside');
    expect(judge('/srv/データ(旧)/a', '/srv/データ（旧）')).toBe('unfit');
    expect(judge('/srv/データ(新)/a', '/srv/データ（旧）')).toBe('outside');
  });

  it('[E5] takes no longer than it should on adversarial text', () => {
    const within = compilePathWithin(['/srv/data']);
    for (const text of ['/srv/data/' + '../'.repeat(300_000), '/' + '%25'.repeat(300_000), '/srv/data/' + '\u0323\u0301'.repeat(500_000), '/'.repeat(1_000_000), '\\'.repeat(1_000_000)]) within(text);
    for (const text of ['/srv/data/' + ';'.repeat(32_000), '/srv/data/' + '．'.repeat(32_000), '/srv/data/' + '%ef%bc%8e;'.repeat(3_200)]) within(text);
    for (const text of [`/${`${'\u0323\u0301'.repeat(15)}\u200c`.repeat(1_000)}/x`, '/' + '\u200c'.repeat(32_000) + '/x', '/' + '\ufdfa'.repeat(32_000) + '/x', '/' + '~1'.repeat(16_000), '/' + ':'.repeat(32_000)]) within(text);
    for (const text of ['/srv/data/' + '../'.repeat(10_000), '/' + '%25'.repeat(10_000), '/srv/data/' + '\u0301\u0323'.repeat(16_000), '/'.repeat(32_000)]) within(text);
  });
});
