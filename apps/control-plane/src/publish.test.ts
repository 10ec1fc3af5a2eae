import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Problem } from '@portcullis/policy-core';
import { afterEach, describe, expect, it } from 'vitest';
import { policyFor } from '../../../test/domain/story.ts';
import type { GitFacts } from './domain/events.ts';
import type { Executed, Plane } from './plane.ts';
import { openPlane } from './plane.ts';
import { createPublisher, prepareOffer } from './publish.ts';
import type { Judgements } from './publish.ts';
import type { Offer } from '@portcullis/policy-files';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

function freshPlane(): { plane: Plane; restart: () => Plane } {
  const dataDir = mkdtempSync(join(tmpdir(), 'portcullis-publish-'));
  cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const open = (): Plane => {
    const opened = openPlane({ dataDir, now: () => 1 });
    if (!opened.ok) throw new Error(opened.problem);
    cleanups.push(() => opened.plane.close());
    return opened.plane;
  };
  const plane = open();
  return { plane, restart: () => (plane.close(), open()) };
}

function offerOf(files: Readonly<Record<string, string>>, unlisted: ReadonlyMap<string, Problem> = new Map()): Offer {
  const documents = new Map(Object.entries(files).map(([id, text]) => {
    const bytes = Buffer.from(text);
    return [id, { kind: 'content', bytes, sha256: createHash('sha256').update(bytes).digest('hex') }] as const;
  }));
  return { at: 1, settledFor: 0, documents, changed: new Set(documents.keys()), removed: new Set(), unlisted };
}

function publisherOf(plane: Plane, git: () => Promise<GitFacts | null> = () => Promise.resolve(null)) {
  const outcomes: Executed[] = [];
  const publisher = createPublisher({
    plane, git, removals: 'wait', now: () => 5,
    onPublished: (executed) => outcomes.push(executed),
    onBug: (error) => {
      throw error;
    },
  });
  return { publisher, outcomes };
}

const FAILING = `${policyFor('a')}tests:\n  - name: allows everything\n    call: { tool: create_thing, arguments: {} }\n    expect: allow\n`;

describe('publishing', () => {
  it('[F1][F2] puts one command to the plane, with what is valid published and what is not refused', async () => {
    const { plane } = freshPlane();
    const { publisher, outcomes } = publisherOf(plane);
    publisher.publish(offerOf({ 'a.yaml': policyFor('a'), 'b.yaml': 'version: [', 'c.yaml': FAILING }));
    await publisher.idle();
    expect(outcomes).toHaveLength(1);
    expect([...plane.policies().keys()]).toEqual(['a.yaml']);
    expect(plane.outstanding().refused.map(({ policy, problems }) => [policy, problems[0]?.code])).toEqual([
      ['b.yaml', 'YAML_SYNTAX'],
      ['c.yaml', 'TEST_FAILED'],
    ]);
    publisher.publish(offerOf({ 'a.yaml': policyFor('a') }));
    await publisher.idle();
    expect(plane.outstanding().refused).toEqual([]);
  });

  it('[F6] parses nothing after a restart that is in force already, and records nothing', async () => {
    const { plane, restart } = freshPlane();
    const files = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`p${n}.yaml`, policyFor(`s${n}`)]));
    const first = publisherOf(plane);
    first.publisher.publish(offerOf(files));
    await first.publisher.idle();
    const size = plane.state().size;
    const again = restart();
    const judgements: Judgements = new Map();
    const prepared = prepareOffer(offerOf({ ...files, 'p3.yaml': policyFor('s3', 2) }), judgements, { state: again.state(), policies: again.policies() });
    expect([...judgements.keys()]).toEqual(['p3.yaml']);
    expect([...prepared.changed.keys()]).toEqual(['p3.yaml']);
    const second = publisherOf(again);
    second.publisher.publish(offerOf(files));
    await second.publisher.idle();
    expect(again.state().size).toBe(size);
  });

  it('keeps a judgement for as long as the bytes are the same, and forgets files that are gone', () => {
    const { plane } = freshPlane();
    const inForce = { state: plane.state(), policies: plane.policies() };
    const judgements: Judgements = new Map();
    const documents = [1, 2].map(() => prepareOffer(offerOf({ 'a.yaml': policyFor('a') }), judgements, inForce).documents.get('a.yaml'));
    expect(documents[0]).toBe(documents[1]);
    prepareOffer(offerOf({}), judgements, inForce);
    expect(judgements.size).toBe(0);
  });

  it('[F3] takes nothing for removed that nobody could look at', async () => {
    const { plane, restart } = freshPlane();
    const { publisher } = publisherOf(plane);
    publisher.publish(offerOf({ 'team/a.yaml': policyFor('a'), 'team/b.yaml': policyFor('b'), 'teams.yaml': policyFor('c') }));
    await publisher.idle();
    const again = restart();
    const problem: Problem = { file: 'team/', line: 1, column: 1, code: 'FILE_UNREADABLE', severity: 'error', message: 'EACCES', frame: null };
    const second = publisherOf(again);
    second.publisher.publish(offerOf({ 'teams.yaml': policyFor('c') }, new Map([['team/', problem]])));
    await second.publisher.idle();
    expect([...again.policies().keys()].sort()).toEqual(['team/a.yaml', 'team/b.yaml', 'teams.yaml']);
    expect(again.outstanding().refused.map(({ policy, why }) => [policy, why])).toEqual([['team/a.yaml', 'unreadable'], ['team/b.yaml', 'unreadable']]);
  });

  it('[F1] puts one offer after the other, and passes over those that a newer one has replaced', async () => {
    const { plane } = freshPlane();
    let answer: (facts: GitFacts | null) => void = () => undefined;
    const { publisher, outcomes } = publisherOf(plane, () => new Promise((resolve) => (answer = resolve)));
    for (let n = 1; n <= 3; n++) publisher.publish(offerOf({ 'a.yaml': policyFor('a', n) }));
    const facts = { commit: 'c'.repeat(40), branch: 'main', claimedAuthor: 'Anna <anna@example.org>', subject: 'Allow less' };
    answer(facts);
    await new Promise((resolve) => setImmediate(resolve));
    answer(null);
    await publisher.idle();
    expect(outcomes).toHaveLength(2);
    expect(plane.policies().get('a.yaml')?.description).toBe('3');
    expect(plane.history.at(1)?.event).toMatchObject({ type: 'PolicySetPublished', git: facts });
    expect(plane.history.at(2)?.event).toMatchObject({ type: 'PolicySetPublished', git: null });
  });
});
