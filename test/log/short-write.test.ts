/** Files that are replaced as a whole, on a disk with room for their first half: a write that comes back short is no write. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from '@portcullis/policy-core';
import { afterAll, describe, expect, it } from 'vitest';
import { createWriteBack } from '../../apps/control-plane/src/api/write-back.ts';
import { writeSecret } from '../../apps/control-plane/src/discovery.ts';
import { writeEnrolment } from '../../apps/proxy/src/host/enrolment.ts';
import { policyFor } from '../domain/story.ts';
import { mountSmallDisk } from '../world/small-disk.ts';

const disk = mountSmallDisk('4m');
afterAll(() => disk?.unmount());

/** Larger than the room that is left, which is a few pages. */
const LONG = 256 * 1024;
const ROOM = 32 * 1024;

describe('a disk that becomes full in the middle of a file', () => {
  it('[R3] leaves the policy as it was, says so, and restores it once there is room', ({ skip }) => {
    if (disk === undefined) return skip();
    const policies = join(disk.path, 'policies');
    mkdirSync(policies);
    const bad = policyFor('a', 2);
    const good = `${policyFor('a', 1)}# ${'x'.repeat(LONG)}\n`;
    writeFileSync(join(policies, 'a.yaml'), bad);
    const writeBack = createWriteBack(policies, { text: () => Buffer.from(good) });
    const event = {
      type: 'RolledBack', to: 1, released: [], holds: [{ policy: 'a.yaml', content: digestOf(bad) }],
      changes: [{ kind: 'changed', policy: 'a.yaml', content: { textSha256: digestOf(good), textBytes: good.length, modelSha256: '', modelBytes: 0 } }],
    } as const;
    disk.fill(ROOM);
    expect(writeBack(event)).toEqual([{ policy: 'a.yaml', did: 'left', detail: expect.stringMatching(/could not be written, and is as it was: ENOSPC/) as string }]);
    expect(readFileSync(join(policies, 'a.yaml'), 'utf8')).toBe(bad);
    expect(readdirSync(policies)).toEqual(['a.yaml']);
    disk.clear();
    expect(writeBack(event)).toEqual([{ policy: 'a.yaml', did: 'restored', detail: null }]);
    expect(readFileSync(join(policies, 'a.yaml'), 'utf8')).toBe(good);
  });

  it('leaves a token file and an enrolment as they were', ({ skip }) => {
    if (disk === undefined) return skip();
    const home = join(disk.path, 'home');
    const enrolment = { url: 'https://plane', log: 'l', planeKey: 'k', formerKeys: [], recoveryKeySha256: 'r', host: 'h', name: 'n', formerLogs: [] };
    writeSecret(join(home, 'secret'), 'one');
    writeEnrolment(home, enrolment);
    const before = readFileSync(join(home, 'host.json'), 'utf8');
    disk.fill(ROOM);
    expect(() => writeSecret(join(home, 'secret'), randomBytes(LONG).toString('hex'))).toThrow(/ENOSPC/);
    expect(() => writeEnrolment(home, { ...enrolment, name: 'n'.repeat(LONG) })).toThrow(/ENOSPC/);
    disk.clear();
    expect(readFileSync(join(home, 'secret'), 'utf8')).toBe('one');
    expect(readFileSync(join(home, 'host.json'), 'utf8')).toBe(before);
    expect(readdirSync(home).sort()).toEqual(['host.json', 'secret']);
  });
});
