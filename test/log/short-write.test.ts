/** Files that are replaced as a whole, on a disk with room for their first half: a write that comes back short is no write. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createWriteBack } from '../../apps/control-plane/src/api/write-back.ts';
import { writeSecret } from '../../apps/control-plane/src/discovery.ts';
import { outstanding } from '../../apps/control-plane/src/domain/outstanding.ts';
import { writeEnrolment } from '../../apps/proxy/src/host/enrolment.ts';
import { policyFor, story } from '../domain/story.ts';
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
    const plane = story();
    plane.offer({ 'a.yaml': good });
    plane.offer({ 'a.yaml': bad });
    plane.do({ kind: 'rollback', to: 1, expected: null });
    const writeBack = createWriteBack(policies, { state: plane.state, outstanding: () => outstanding(plane.state(), null), history: { text: () => Buffer.from(good) } });
    disk.fill(ROOM);
    expect(writeBack(['a.yaml'])).toEqual([{ policy: 'a.yaml', did: 'left', detail: expect.stringMatching(/could not be changed, and is as it was: ENOSPC/) as string }]);
    expect(readFileSync(join(policies, 'a.yaml'), 'utf8')).toBe(bad);
    expect(readdirSync(policies)).toEqual(['a.yaml']);
    disk.clear();
    expect(writeBack(['a.yaml'])).toEqual([{ policy: 'a.yaml', did: 'restored', detail: null }]);
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
