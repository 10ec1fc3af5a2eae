/**
 * The promise of the link, shown on the two pure machines that keep it: the plane's link and the proxy's guard, joined by a network that
 * drops, repeats and reorders. Whatever happens, what a proxy permits never exceeds what some version between the one it last enforced
 * exactly and the head permits (W6); when the network is kind again, it enforces the head (W4, W7).
 */
import { describe, expect, it } from 'vitest';
import { canonicalJson, identityOf, readDown, selectPolicies, selectRestrictions, signerOf, verifierOf } from '@portcullis/policy-core';
import type { Labels, Policy, Restriction } from '@portcullis/policy-core';
import { makeCuts } from '../../apps/control-plane/src/fleet/cuts.ts';
import { acknowledged, enforces, openLink, plan, refused, relabelled } from '../../apps/control-plane/src/domain/link.ts';
import type { Link } from '../../apps/control-plane/src/domain/link.ts';
import { adopt, coherentVersion, effective, emptyGuard, held, welcomed } from '../../apps/proxy/src/guard/guard.ts';
import type { GuardState, Persist } from '../../apps/proxy/src/guard/guard.ts';
import { restore } from '../../apps/proxy/src/guard/restore.ts';
import { LOG, policyOf, randomFrom, restrictionOf, stateOf } from './world.ts';

const TOOLS = ['a', 'b', 'c', 'd'];
const signer = signerOf(new Uint8Array(32).fill(7));
const verify = verifierOf(signer.publicKey) ?? (() => false);

interface Version {
  readonly policies: ReadonlyMap<string, Policy>;
  readonly restrictions: readonly Restriction[];
  readonly labels: Labels;
}

function permits(policies: readonly Policy[], restrictions: readonly Restriction[]): ReadonlySet<string> {
  const closed = new Set(restrictions.flatMap(({ scope }) => (scope.kind === 'all' ? TOOLS : scope.globs)));
  return new Set(TOOLS.filter((tool) => policies.length > 0 && policies.every((policy) => policy.tools.some(({ pattern }) => pattern === tool)) && !closed.has(tool)));
}

function permittedAt(version: Version): ReadonlySet<string> {
  const identity = { server: 'github', labels: version.labels };
  return permits(selectPolicies(version.policies.values(), identity), selectRestrictions(version.restrictions, identity));
}

/** One run; returns what went wrong, or null. */
function run(seed: number): string | null {
  const random = randomFrom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const some = (): string[] => TOOLS.filter(() => random() < 0.5);
  const versions: Version[] = [{ policies: new Map([['github.yaml', policyOf('github.yaml', some())]]), restrictions: [], labels: { env: 'dev' } }];
  let [policiesVersion, restrictionsVersion, labelledAt, ids, now] = [0, 0, 0, 0, 0];
  const head = (): Version => versions.at(-1)!;
  const state = () => stateOf({ version: versions.length - 1, policiesVersion, restrictionsVersion, restrictions: head().restrictions });
  const cuts = makeCuts(signer.sign, state(), head().policies);
  let identity = { server: 'github', labels: head().labels };
  let guard: GuardState = welcomed(emptyGuard(LOG, 'github'), { labels: head().labels, version: 0 });
  let link: Link = openLink({ ...held(guard), inFlight: 0 }, labelledAt, new Map());
  let down: string[] = [];
  let up: { held?: ReturnType<typeof held>; nack?: { part: 'policies' | 'restrictions'; digest: string | null; kind: 'transient' | 'unsupported' | 'invalid' } }[] = [];
  let exact = 0;
  const disk: Persist[] = [];

  const change = (): void => {
    const before = head();
    const kind = random();
    let next: Version;
    if (kind < 0.4) {
      const id = pick(['github.yaml', 'more.yaml']);
      const policies = new Map(before.policies);
      if (id === 'more.yaml' && random() < 0.4) policies.delete(id);
      else policies.set(id, policyOf(id, some(), random() < 0.3 ? { labels: { [pick(['env', 'team'])]: [pick(['dev', 'prod'])] } } : {}));
      next = { ...before, policies };
    } else if (kind < 0.65) {
      ids += 1;
      const selector = random() < 0.3 ? { labels: { env: [pick(['dev', 'prod'])] } } : random() < 0.2 ? { server: ['other'] } : {};
      next = { ...before, restrictions: [...before.restrictions, restrictionOf(`r-${ids}`, random() < 0.3 ? null : some(), selector)] };
    } else if (kind < 0.9) {
      const gone = pick([...before.restrictions, undefined]);
      next = { ...before, restrictions: before.restrictions.filter((restriction) => restriction !== gone) };
    } else {
      next = { ...before, labels: { env: pick(['dev', 'prod']) } };
    }
    versions.push(next);
    const version = versions.length - 1;
    if (next.policies !== before.policies) policiesVersion = version;
    if (next.restrictions !== before.restrictions) restrictionsVersion = version;
    cuts.update(state(), next.policies);
    if (next.labels !== before.labels) {
      identity = { server: 'github', labels: next.labels };
      labelledAt = version;
      link = relabelled(link, version);
      down.push(`welcome ${version}`);
    }
  };
  const push = (): void => {
    const wanted = cuts.of(identity);
    const planned = plan(link, wanted, now);
    link = planned.link;
    for (const lane of planned.send) down.push(wanted.frame(lane).toString());
  };
  const receive = (text: string): void => {
    const welcome = /^welcome (\d+)$/.exec(text)?.[1];
    if (welcome !== undefined) {
      guard = welcomed(guard, { labels: versions[Number(welcome)]!.labels, version: Number(welcome) });
      return;
    }
    const frame = readDown(text, verify);
    if (!frame.ok || (frame.value.frame !== 'snapshot' && frame.value.frame !== 'restrict' && frame.value.frame !== 'advance')) throw new Error(text);
    const adopted = adopt(guard, frame.value, text);
    if (!adopted.ok) {
      up.push({ nack: adopted });
      return;
    }
    guard = adopted.state;
    if (adopted.persist !== null) disk.push(adopted.persist);
    up.push({ held: held(guard) });
  };
  const hear = (): void => {
    const message = up.splice(Math.floor(random() * up.length), 1)[0];
    if (message?.held !== undefined) link = acknowledged(link, { ...message.held, inFlight: 0 });
    if (message?.nack !== undefined) link = refused(link, { ...message.nack, problems: [] }, now);
  };
  const reconnect = (): void => {
    [down, up] = [[], []];
    identity = { server: 'github', labels: head().labels };
    guard = welcomed(guard, { labels: head().labels, version: versions.length - 1 });
    link = openLink({ ...held(guard), inFlight: 0 }, labelledAt, new Map());
  };
  const restart = (): void => {
    const stored = (kind: Persist['kind']) =>
      disk.filter((record) => record.kind === kind).sort((a, b) => b.version - a.version).slice(0, 2).map(({ version, text }) => ({ version, copies: [text] }));
    const before = { held: held(guard), effective: effective(guard) };
    const [restrictions] = stored('restrictions');
    const newestRestrictions = restrictions?.version ?? null;
    guard = restore(LOG, 'github', { policies: stored('policies'), restrictions: restrictions === undefined ? [] : [restrictions], head: stored('head'), newestRestrictions }, verify).state;
    const after = { held: held(guard), effective: effective(guard) };
    const show = (e: typeof before.effective): string => canonicalJson(e === null ? [] : [...permits(e.policies, e.restrictions)]);
    if (show(before.effective) !== show(after.effective)) throw new Error(`a restart changed what is permitted: ${canonicalJson(before.held)} ${canonicalJson(after.held)}`);
  };
  const violation = (): string | null => {
    exact = Math.max(exact, coherentVersion(guard) ?? 0);
    const now = effective(guard);
    if (now === null) return null;
    const permitted = permits(now.policies, now.restrictions);
    const candidates = versions.slice(exact).map(permittedAt);
    if (candidates.some((version) => [...permitted].every((tool) => version.has(tool)))) return null;
    return `permits ${[...permitted].join()} while versions ${exact} to ${versions.length - 1} permit ${candidates.map((c) => [...c].join('')).join(' | ')}`;
  };

  for (let step = 0; step < 60; step++) {
    now += Math.floor(random() * 100);
    const kind = random();
    if (kind < 0.25) change();
    else if (kind < 0.5) push();
    else if (kind < 0.8 && down.length > 0) {
      const index = random() < 0.6 ? 0 : Math.floor(random() * down.length);
      const text = random() < 0.1 ? down[index]! : down.splice(index, 1)[0]!;
      if (random() > 0.1) receive(text);
    } else if (kind < 0.92) hear();
    else if (kind < 0.95) restart();
    else reconnect();
    const wrong = violation();
    if (wrong !== null) return `seed ${seed}, step ${step}: ${wrong}`;
  }
  // A kind network from here: a new connection, everything delivered in order.
  reconnect();
  for (let round = 0; round < 20; round++) {
    now += 31_000;
    push();
    while (down.length > 0) {
      receive(down.shift()!);
      const wrong = violation();
      if (wrong !== null) return `seed ${seed}, at the end: ${wrong}`;
    }
    while (up.length > 0) hear();
  }
  if (!enforces(link.held, cuts.of(identity))) return `seed ${seed}: never enforces the head: ${canonicalJson(link)}`;
  if (coherentVersion(guard) !== versions.length - 1) return `seed ${seed}: at the head, but not told so: ${coherentVersion(guard)} of ${versions.length - 1}`;
  return null;
}

describe('effective permission', () => {
  it('[W6] [W4] [P6] never exceeds that of every version since the last one enforced exactly; a kind network reaches the head', () => {
    const runs = Number(process.env['PORTCULLIS_LAW_CASES'] ?? 1500);
    const first = Number(process.env['PORTCULLIS_SEED'] ?? 1);
    for (let seed = first; seed < first + runs; seed++) expect(run(seed)).toBeNull();
  });

  it('[W3] a cut tells whether a proxy belongs to it', () => {
    expect(identityOf({ server: 'github', labels: { env: 'dev', team: null } })).toEqual({ server: 'github', labels: { env: 'dev' } });
  });
});
