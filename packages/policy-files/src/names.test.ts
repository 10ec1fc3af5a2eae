import { describe, expect, it } from 'vitest';
import { isHiddenName, isPolicyName } from './names.ts';

describe('which names are policies', () => {
  it.each(['a.yaml', 'a.yml', 'with space.yaml', 'ü.yaml', 'a.b.yaml', '__proto__.yaml', 'constructor.yml', '4913.yaml', '#a.yaml'])('%s is one', (name) => {
    expect(isPolicyName(name)).toBe(true);
  });

  it.each([
    '.a.yaml', '.yaml', '..data', '.git', '.a.yaml.swp', '.a.yaml.swx', 'a.yaml~', '4913', '.#a.yaml', '#a.yaml#', 'a.yaml.tmp', 'a.yaml.swp', 'a.yaml___jb_tmp___', 'a.yaml___jb_old___',
    '.a.yaml.Xy12Za', '~$a.yaml', '.syncthing.a.yaml.tmp', 'a.yaml.orig', 'a.yaml.bak', 'README.md', 'yaml', 'ayaml', 'a.yaml ', 'a.YAML', '',
  ])('%j is not', (name) => {
    expect(isPolicyName(name)).toBe(false);
  });

  it('hides what starts with a dot, with all that is below it', () => {
    expect(['.git', '..data', '..2026_01_05_12_00_00.123', '.'].every(isHiddenName)).toBe(true);
    expect(['policies', 'a.d', '_x'].some(isHiddenName)).toBe(false);
  });
});
