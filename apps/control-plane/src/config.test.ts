import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';
import type { ServeOptions } from './config.ts';

const BASE: ServeOptions = { policies: tmpdir(), data: 'data', listen: '127.0.0.1:7420' };
const PLACE = { env: { PORTCULLIS_HOME: '/home/x' }, cwd: '/work-dir' };

function namesOf(options: Partial<ServeOptions>): readonly string[] {
  const read = readConfig({ ...BASE, ...options }, PLACE);
  return read.ok ? [...read.config.hostNames].sort() : [read.problem];
}

describe('what serve is told', () => {
  it('[O2] answers on loopback under loopback names only', () => {
    expect(namesOf({})).toEqual(['127.0.0.1', '[::1]', 'localhost']);
    expect(namesOf({ listen: '127.9.9.9:1' })).toContain('127.9.9.9');
    expect(namesOf({ listen: '[::1]:0', publicName: ['Plane.Example'] })).toEqual(['127.0.0.1', '[::1]', 'localhost', 'plane.example']);
  });

  it('[O2] refuses to leave the machine without TLS', () => {
    for (const listen of ['0.0.0.0:1', '[::]:1', '10.0.0.1:1', 'plane.example:1', '[fe80::1]:1', '128.0.0.1:1', '127.0.0.1.example:1']) expect(namesOf({ listen })[0], listen).toMatch(/TLS/);
  });

  it('resolves paths from where it was started, and the home from the environment', () => {
    const read = readConfig(BASE, PLACE);
    expect(read).toMatchObject({ ok: true, config: { data: '/work-dir/data', home: '/home/x', host: '127.0.0.1', port: 7420, removals: 'wait', pollOnly: false } });
  });

  it('[O3] refuses what is no address', () => {
    for (const listen of ['', '7420', 'localhost', 'a:b', '[x]:1', '[127.0.0.1]:1', 'a b:1', '127.0.0.1:65536', ':7420', 'http://x:1']) expect(namesOf({ listen })[0], listen).toMatch(/is no address/);
  });

  it('[F3] refuses a policy directory that is not there at the first start only', () => {
    const data = mkdtempSync(join(tmpdir(), 'portcullis-config-'));
    try {
      const read = () => readConfig({ ...BASE, policies: join(data, 'not', 'there'), data }, PLACE);
      expect(read()).toMatchObject({ ok: false, problem: expect.stringContaining('is not there') as string });
      writeFileSync(join(data, 'log.db'), '');
      writeFileSync(join(data, 'beginning'), '');
      expect(read(), 'a beginning that was cut short').toMatchObject({ ok: false });
      rmSync(join(data, 'beginning'));
      expect(read()).toMatchObject({ ok: true });
      mkdirSync(join(data, 'not'));
      writeFileSync(join(data, 'not', 'there'), '');
      expect(read(), 'a file in its place').toMatchObject({ ok: true });
    } finally {
      rmSync(data, { recursive: true });
    }
  });
});
