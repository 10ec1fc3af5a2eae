import { describe, expect, it } from 'vitest';
import { canonicalJson, digestOf, policiesBody, readDown, restrictionsBody, signedFrame, signerOf, signHeader, verifierOf } from '@portcullis/policy-core';
import type { Policy, Restriction } from '@portcullis/policy-core';
import { adopt, coherentVersion, effective, emptyGuard, held, welcomed } from './guard.ts';
import type { Adopted, GuardState, PolicyFrame } from './guard.ts';

const LOG = 'portcullis.test/1';
const signer = signerOf(new Uint8Array(32).fill(3));
const verify = verifierOf(signer.publicKey) ?? (() => false);
const at = { line: 1, column: 1 };
const cut = { server: 'github', labels: { env: 'prod' } };

function policy(id: string): Policy {
  return {
    model: 1, id, description: null, match: { server: ['github'], labels: {}, upstream: [] }, admits: true, mode: 'enforce', default: 'allow', defaultAt: at, onStale: null, hide: [], readOnly: null,
    tools: [], resources: null, prompts: null, methods: null,
  };
}

function restriction(id: string): Restriction {
  return { id, selector: { server: [], labels: {} }, scope: { kind: 'all' }, readOnly: false, reason: 'r', actor: 'a', imposedAtMs: 0, expiresAtMs: null };
}

function opened(kind: 'snapshot' | 'restrict' | 'advance', header: object, body?: string): { frame: PolicyFrame; source: string } {
  const text = canonicalJson({ log: LOG, cut, ...header });
  const source = signedFrame(kind, text, signHeader(signer.sign, kind, text), body);
  const read = readDown(source, verify);
  if (!read.ok || read.value.frame !== kind) throw new Error(read.ok ? 'kind' : read.message);
  return { frame: read.value, source };
}

function snapshot(version: number, ids: readonly string[], header: object = {}) {
  const body = policiesBody(ids.map(policy));
  return opened('snapshot', { version, digest: digestOf(body), restrictions: 0, ...header }, body);
}

function restrict(version: number, after: number, ids: readonly string[], header: object = {}) {
  const body = restrictionsBody(ids.map(restriction));
  return opened('restrict', { version, digest: digestOf(body), after, ...header }, body);
}

function take(state: GuardState, { frame, source }: { frame: PolicyFrame; source: string }): GuardState {
  const adopted = adopt(state, frame, source);
  if (!adopted.ok) throw new Error(adopted.problem);
  return adopted.state;
}

function refusedBy(state: GuardState, { frame, source }: { frame: PolicyFrame; source: string }): Extract<Adopted, { ok: false }> {
  const adopted = adopt(state, frame, source);
  if (adopted.ok) throw new Error('taken');
  return adopted;
}

const start = welcomed(emptyGuard(LOG, 'github'), { labels: { env: 'prod' }, version: 0 });
const at5 = take(take(start, restrict(5, 5, ['r1'])), snapshot(5, ['a']));

describe('the guard', () => {
  it('[P3] enforces nothing before both parts are in', () => {
    expect([effective(start), effective(take(start, restrict(1, 1, [])))]).toEqual([null, null]);
    expect(effective(at5)?.policies.map(({ id }) => id)).toEqual(['a']);
    expect(coherentVersion(at5)).toBe(5);
  });

  it('[W3] refuses what is lower than the highest seen', () => {
    for (const frame of [snapshot(4, ['b']), restrict(4, 4, []), snapshot(4, ['a'])]) {
      expect(refusedBy(at5, frame)).toMatchObject({ kind: 'transient', evidence: { what: 'lower' } });
    }
  });

  it('[W3] keeps both statements where one version has two contents', () => {
    const refused = refusedBy(at5, snapshot(5, ['b']));
    expect(refused).toMatchObject({ kind: 'invalid', evidence: { what: 'equivocation', held: { header: at5.policies?.header } } });
    expect(refused.evidence?.refused.signature).not.toBe(refused.evidence?.held?.signature);
    expect(refusedBy(at5, restrict(5, 5, []))).toMatchObject({ evidence: { what: 'equivocation' } });
    const advance = opened('advance', { version: 5, policies: '0'.repeat(64), restrictions: at5.restrictions?.digest });
    expect(refusedBy(at5, advance)).toMatchObject({ evidence: { what: 'equivocation' } });
  });

  it('[W3] the same again is no harm', () => {
    expect(adopt(at5, snapshot(5, ['a']).frame, '')).toMatchObject({ ok: true, persist: null });
  });

  it('[W3] refuses another log, another server, other labels', () => {
    const strangers = [{ log: 'other' }, { cut: { ...cut, server: 'files' } }, { cut: { ...cut, labels: { env: 'dev' } } }, { cut: { ...cut, labels: { team: 'x' } } }, { cut: { ...cut, labels: { env: null } } }];
    for (const header of strangers) {
      expect(refusedBy(at5, snapshot(9, ['a'], header))).toMatchObject({ kind: 'invalid' });
      expect(refusedBy(at5, restrict(9, 9, [], header)).evidence?.what).toMatch(/^other-/);
    }
    expect(take(at5, snapshot(9, ['b'], { cut: { server: 'github', labels: { team: null } } })).policies?.version).toBe(9);
  });

  it('[W6] an imposition acts at once, a lift waits for the policies it was decided on', () => {
    const imposed = take(at5, restrict(7, 6, ['r1', 'r2']));
    expect(effective(imposed)?.restrictions.map(({ id }) => id)).toEqual(['r1', 'r2']);
    const lifted = take(imposed, restrict(9, 8, ['r3']));
    expect(effective(lifted)?.restrictions.map(({ id }) => id).sort()).toEqual(['r1', 'r2', 'r3']);
    expect([held(lifted).pending, coherentVersion(lifted)]).toEqual([true, null]);
    const arrived = take(lifted, snapshot(9, ['b'], { restrictions: 9 }));
    expect(effective(arrived)?.restrictions.map(({ id }) => id)).toEqual(['r3']);
    expect(coherentVersion(arrived)).toBe(9);
  });

  it('[W6] policies wait for the restrictions they were published under', () => {
    expect(refusedBy(at5, snapshot(8, ['b'], { restrictions: 7 }))).toMatchObject({ kind: 'transient' });
    expect(refusedBy(take(at5, restrict(9, 8, [])), snapshot(7, ['b']))).toMatchObject({ kind: 'transient' });
    expect(refusedBy(start, snapshot(1, ['a']))).toMatchObject({ kind: 'transient' });
  });

  it('[W4] an advance ends a waiting lift and raises both marks; one for other content does not', () => {
    const lifted = take(at5, restrict(9, 8, []));
    const advance = opened('advance', { version: 9, policies: at5.policies?.digest, restrictions: lifted.restrictions?.digest });
    const advanced = take(lifted, advance);
    expect([effective(advanced)?.restrictions, coherentVersion(advanced)]).toEqual([[], 9]);
    expect(refusedBy(advanced, snapshot(8, ['b']))).toMatchObject({ evidence: { what: 'lower' } });
    expect(refusedBy(at5, advance)).toMatchObject({ kind: 'transient' });
  });

  it('[W5] content that cannot be read is refused by its digest and changes nothing', () => {
    const body = '{"policies":[{"model":2}]}';
    const refused = refusedBy(at5, opened('snapshot', { version: 9, digest: digestOf(body), restrictions: 0 }, body));
    expect(refused).toMatchObject({ kind: 'unsupported', digest: digestOf(body), part: 'policies' });
  });

  it('[W8] a host with other labels keeps what it had until its new cut is in, under the restrictions of both', () => {
    const moved = welcomed(at5, { labels: { env: 'dev' }, version: 6 });
    const dev = { cut: { server: 'github', labels: { env: 'dev' } } };
    const restricted = take(moved, restrict(6, 5, [], dev));
    expect(effective(restricted)?.restrictions.map(({ id }) => id)).toEqual(['r1']);
    expect(effective(take(restricted, snapshot(6, ['b'], dev)))?.restrictions).toEqual([]);
    expect(welcomed(moved, { labels: { env: 'prod' }, version: 5 })).toBe(moved);
  });
});
