import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson, digestOf, policiesBody, restrictionsBody, signedFrame, signerOf, signHeader } from '@portcullis/policy-core';
import type { Policy } from '@portcullis/policy-core';
import type { Persist } from '../guard/guard.ts';
import type { Enrolment } from '../host/enrolment.ts';
import { lastGoodDirectory, openLastGood } from '../store/last-good.ts';
import { openFooting } from './footing.ts';
import { inForce } from './live.ts';

const [OLD, NEW] = ['portcullis.test/old', 'portcullis.test/new'];
const [oldKey, newKey] = [signerOf(new Uint8Array(32).fill(1)), signerOf(new Uint8Array(32).fill(2))];
const cut = { server: 's', labels: {} };
const enrolment: Enrolment = {
  url: 'http://127.0.0.1:1', log: NEW, planeKey: newKey.publicKey, formerKeys: [], recoveryKeySha256: '0'.repeat(64), host: 'h', name: 'h', formerLogs: [{ log: OLD, keys: [oldKey.publicKey] }],
};
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'portcullis-footing-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function policies(log: string, key: typeof oldKey, version: number, id: string): Persist {
  const at = { line: 1, column: 1 };
  const policy: Policy = {
    model: 1, id, description: null, match: { server: ['s'], labels: {}, upstream: [] }, admits: true, mode: 'enforce', default: 'allow', defaultAt: at, onStale: null, hide: [], readOnly: null,
    tools: [], resources: null, prompts: null, methods: null,
  };
  const body = policiesBody([policy]);
  const header = canonicalJson({ log, cut, version, digest: digestOf(body), restrictions: 0 });
  return { kind: 'policies', version, text: signedFrame('snapshot', header, signHeader(key.sign, 'snapshot', header), body) };
}

function restrictions(log: string, key: typeof oldKey, version: number, after: number, ids: readonly string[]): Persist {
  const body = restrictionsBody(ids.map((id) => ({ id, selector: { server: [], labels: {} }, scope: { kind: 'all' }, readOnly: false, reason: 'r', actor: 'a', imposedAtMs: 0, expiresAtMs: null })));
  const header = canonicalJson({ log, cut, version, digest: digestOf(body), after });
  return { kind: 'restrictions', version, settled: true, text: canonicalJson({ frame: signedFrame('restrict', header, signHeader(key.sign, 'restrict', header), body), carried: [], policies: null }) };
}

function foot() {
  const footing = openFooting(home, enrolment, 's');
  if (footing === null) throw new Error('no key');
  const last = inForce(footing, footing.state);
  return { footing, closed: footing.closed, permits: last === null ? null : { policies: last.policies.map(({ id }) => id), restrictions: last.restrictions.map(({ id }) => id) } };
}

function remove(log: string, pattern: RegExp): void {
  const directory = lastGoodDirectory(home, log, 's');
  for (const name of readdirSync(directory)) if (pattern.test(name)) rmSync(join(directory, name));
}

async function underOldLog(): Promise<void> {
  const old = openLastGood(lastGoodDirectory(home, OLD, 's'));
  await old.write(restrictions(OLD, oldKey, 0, 0, []));
  await old.write(policies(OLD, oldKey, 0, 'old'));
  await old.write(restrictions(OLD, oldKey, 5, 0, ['lockdown']));
}

describe('where a log goes on from another', () => {
  it('[P3] what the former one left is in force, under what the new one restricts, until the new one brings policies', async () => {
    await underOldLog();
    expect(foot().permits).toEqual({ policies: ['old'], restrictions: ['lockdown'] });
    const { footing: { lastGood } } = foot();
    await lastGood.write(restrictions(NEW, newKey, 7, 7, ['second']));
    expect(foot().permits).toEqual({ policies: ['old'], restrictions: ['lockdown', 'second'] });
    await lastGood.write(policies(NEW, newKey, 7, 'new'));
    expect(foot().permits).toEqual({ policies: ['new'], restrictions: ['second'] });
  });

  it('[P6] restrictions that cannot be read, of either log, close the gate', async () => {
    await underOldLog();
    await foot().footing.lastGood.write(restrictions(NEW, newKey, 7, 7, ['second']));
    const directory = lastGoodDirectory(home, NEW, 's');
    for (const name of readdirSync(directory)) if (name.startsWith('restrictions-')) writeFileSync(join(directory, name), '');
    expect(foot()).toMatchObject({ permits: null, closed: expect.stringContaining('restrictions@7') as string });
    remove(NEW, /./);
    remove(OLD, /^restrictions-/);
    expect(foot()).toMatchObject({ permits: null, closed: expect.stringContaining('restrictions@5') as string });
  });

  it('[P6] once the new one has brought policies there is no way back to the former one', async () => {
    await underOldLog();
    const { footing: { lastGood } } = foot();
    await lastGood.write(restrictions(NEW, newKey, 7, 7, ['second']));
    await lastGood.write(policies(NEW, newKey, 7, 'new'));
    remove(NEW, /./);
    expect(foot()).toMatchObject({ permits: null, closed: expect.stringContaining('gone') as string });
  });
});
