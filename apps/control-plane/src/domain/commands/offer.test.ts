import { describe, expect, it } from 'vitest';
import { documentOf, INVALID, policyFor, story, types } from '../../../../../test/domain/story.ts';
import { outstanding } from '../outstanding.ts';
import type { OfferedDocument } from '../command.ts';
import type { PlaneEvent } from '../events.ts';

const a = policyFor('a');
const b = policyFor('b');
const c = policyFor('c');

/** Ten policies for ten servers, so that one or two removals are no fifth. */
const ten = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`p${i}.yaml`, policyFor(`s${i}`)]));

function without(files: Readonly<Record<string, string>>, ...ids: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([id]) => !ids.includes(id)));
}

function changeIn(events: readonly PlaneEvent[]): string {
  const waits = events.find((event) => event.type === 'ChangeRefused' && event.why === 'removal');
  return waits?.type === 'ChangeRefused' ? (waits.change ?? '') : '';
}

describe('an offer', () => {
  it('[F1] publishes everything that changed as one event, in the order of ids', () => {
    const plane = story();
    const events = plane.offer({ 'b.yaml': b, 'a.yaml': a });
    expect(types(events)).toEqual(['PolicySetPublished']);
    expect(events[0]).toMatchObject({ changes: [{ kind: 'added', policy: 'a.yaml' }, { kind: 'added', policy: 'b.yaml' }] });
    expect(plane.inForce()).toEqual({ 'a.yaml': a, 'b.yaml': b });
  });

  it('[F1] records nothing when nothing changed, and nothing the second time', () => {
    const plane = story();
    const files = { 'a.yaml': a, 'b.yaml': INVALID, 'c.yaml': { unreadable: 'EACCES' } };
    expect(types(plane.offer(files))).toEqual(['ChangeRefused invalid', 'ChangeRefused unreadable', 'PolicySetPublished']);
    expect(plane.offer(files)).toEqual([]);
  });

  it('[F6] publishes after a restart what changed meanwhile, once, and nothing else', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a, 'b.yaml': b, 'x.yaml': INVALID });
    plane.restart();
    const changed = { 'a.yaml': policyFor('a', 2), 'b.yaml': b, 'x.yaml': INVALID };
    expect(plane.offer(changed)).toMatchObject([{ type: 'PolicySetPublished', changes: [{ kind: 'changed', policy: 'a.yaml' }] }]);
    plane.restart();
    expect(plane.offer(changed)).toEqual([]);
  });

  it('[F2] keeps the last good content of an invalid document and publishes the others', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a, 'b.yaml': b });
    const events = plane.offer({ 'a.yaml': INVALID, 'b.yaml': policyFor('b', 2) });
    expect(types(events)).toEqual(['ChangeRefused invalid', 'PolicySetPublished']);
    expect(plane.inForce()).toEqual({ 'a.yaml': a, 'b.yaml': policyFor('b', 2) });
  });

  it('[F2] records a refusal once per content, also across restarts and other changes', () => {
    const plane = story();
    plane.offer({ 'a.yaml': INVALID });
    plane.restart();
    expect(types(plane.offer({ 'a.yaml': INVALID, 'b.yaml': b }))).toEqual(['PolicySetPublished']);
    expect(types(plane.offer({ 'a.yaml': `${INVALID}#`, 'b.yaml': b }))).toEqual(['ChangeRefused invalid']);
    expect(types(plane.offer({ 'a.yaml': a, 'b.yaml': b }))).toEqual(['PolicySetPublished']);
    expect(plane.state().refused.size).toBe(0);
  });

  it('[F2] leaves the old id in force while its file is renamed to an invalid one, even where removals are accepted', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a, ...ten });
    const events = plane.offer({ 'a2.yaml': INVALID, ...ten }, { removals: 'accept' });
    expect(types(events)).toEqual(['ChangeRefused removal', 'ChangeRefused invalid']);
    expect(plane.inForce()['a.yaml']).toBe(a);
    // Once it is mended, the rename is complete.
    expect(types(plane.offer({ 'a2.yaml': a, ...ten }, { removals: 'accept' }))).toEqual(['PolicySetPublished']);
    expect(plane.inForce()['a.yaml']).toBeUndefined();
  });

  it('[F2] tells what no longer stands: a mistake that was taken back publishes nothing and is no problem any more', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a });
    plane.offer({ 'a.yaml': INVALID });
    const offered = (file: string) => ({ kind: 'offer', git: null, removals: 'wait', documents: new Map([['a.yaml', { kind: 'invalid', textSha256: file, problems: [] } as const]]) }) as const;
    const [{ textSha256 } = { textSha256: null }] = plane.state().refused.values();
    expect(outstanding(plane.state(), offered(textSha256 ?? '')).refused).toHaveLength(1);
    expect(outstanding(plane.state(), offered('other')).refused).toHaveLength(0);
    expect(outstanding(plane.state(), null).refused).toHaveLength(1);
  });

  it('[F2] takes `__proto__` and `constructor` for ordinary names', () => {
    const plane = story();
    plane.offer({ 'constructor.yaml': policyFor('constructor'), ['__proto__.yaml']: policyFor('__proto__') });
    expect([...plane.state().policies.keys()].sort()).toEqual(['__proto__.yaml', 'constructor.yaml']);
  });

  it('[F2] refuses a change-set that crosses a limit of the set, names the document, and once', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a });
    // What a document weighs is stated beside it, so this need not be parsed to be heavy.
    const heavy = (id: string): readonly [string, OfferedDocument] => [id, { ...documentOf(id, policyFor(id)), modelBytes: 9 * 1024 * 1024 } as OfferedDocument];
    const documents = new Map([['a.yaml', documentOf('a.yaml', policyFor('a', 2))], heavy('h1.yaml'), heavy('h2.yaml'), heavy('h3.yaml')]);
    const again = () => plane.do({ kind: 'offer', documents, git: null, removals: 'wait' });
    const events = again();
    expect(types(events)).toEqual(['ChangeRefused set']);
    expect(events).toMatchObject([{ policy: 'h3.yaml', problems: [{ code: 'SET_TOO_LARGE' }] }]);
    expect(plane.inForce()).toEqual({ 'a.yaml': a });
    expect(again()).toEqual([]);
    documents.delete('h3.yaml');
    expect(types(again())).toEqual(['PolicySetPublished']);
  });
});

describe('a removal', () => {
  it('[F3] publishes where the removed policy was the only one for its server', () => {
    const plane = story();
    plane.offer(ten);
    expect(plane.offer(without(ten, 'p3.yaml'))).toMatchObject([{ type: 'PolicySetPublished', changes: [{ kind: 'removed', policy: 'p3.yaml' }] }]);
  });

  it('[F3] waits where a proxy would keep another policy, and lets everything else through', () => {
    const plane = story();
    plane.offer({ ...ten, 'guard.yaml': policyFor('*') });
    const events = plane.offer({ ...ten, 'p1.yaml': policyFor('s1', 2) });
    expect(types(events)).toEqual(['ChangeRefused removal', 'PolicySetPublished']);
    expect(plane.inForce()['guard.yaml']).toBeDefined();
    expect(plane.inForce()['p1.yaml']).toBe(policyFor('s1', 2));
    expect(plane.offer({ ...ten, 'p1.yaml': policyFor('s1', 2) })).toEqual([]);
    plane.restart();
    expect(plane.offer({ ...ten, 'p1.yaml': policyFor('s1', 2) })).toEqual([]);
  });

  it('[F3] waits for more than a fifth of the policies, two at least', () => {
    const plane = story();
    plane.offer(ten);
    expect(types(plane.offer(without(ten, 'p1.yaml', 'p2.yaml')))).toEqual(['PolicySetPublished']);
    expect(types(plane.offer(without(ten, 'p1.yaml', 'p2.yaml', 'p3.yaml', 'p4.yaml')))).toEqual(['ChangeRefused removal']);
    const few = story();
    few.offer({ 'a.yaml': a, 'b.yaml': b });
    expect(types(few.offer({ 'a.yaml': a }))).toEqual(['PolicySetPublished']);
    const all = story();
    all.offer({ 'a.yaml': a, 'b.yaml': b });
    expect(types(all.offer({}))).toEqual(['ChangeRefused removal']);
  });

  it('[F3] publishes at once where removals are accepted', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a, 'b.yaml': b });
    expect(types(plane.offer({}, { removals: 'accept' }))).toEqual(['PolicySetPublished']);
  });

  it('[F3] is never concluded from a file that cannot be read', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a, 'b.yaml': b });
    expect(types(plane.offer({ 'a.yaml': { unreadable: 'EACCES' }, 'b.yaml': b }, { removals: 'accept' }))).toEqual(['ChangeRefused unreadable']);
    expect(plane.inForce()['a.yaml']).toBe(a);
  });

  it('[F3] is no removal where the same text about the same proxies has another name', () => {
    const plane = story();
    const files = { 'a.yaml': a, 'guard.yaml': policyFor('*'), 'c.yaml': c };
    plane.offer(files);
    expect(types(plane.offer({ 'new/a.yaml': a, 'guard.yaml': policyFor('*'), 'c.yaml': c }))).toEqual(['PolicySetPublished']);
    expect(Object.keys(plane.inForce()).sort()).toEqual(['c.yaml', 'guard.yaml', 'new/a.yaml']);
  });
});

describe('confirming a removal', () => {
  it('[F3] publishes it, as a consequence of the confirmation, and once', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a, 'b.yaml': b });
    const change = changeIn(plane.offer({}));
    const events = plane.do({ kind: 'confirm', expected: null, change });
    expect(types(events)).toEqual(['RemovalConfirmed', 'PolicySetPublished']);
    expect(plane.inForce()).toEqual({});
    expect(plane.do({ kind: 'confirm', expected: null, change })).toBe('already-done');
    expect(plane.offer({})).toEqual([]);
  });

  it('[F3] is refused for an unknown change, before the directory was read, and where the files are back', () => {
    const plane = story();
    plane.offer({ 'a.yaml': a, 'b.yaml': b });
    expect(plane.do({ kind: 'confirm', expected: null, change: 'none' })).toBe('not-found');
    const change = changeIn(plane.offer({}));
    plane.restart();
    expect(plane.do({ kind: 'confirm', expected: null, change })).toBe('unavailable');
    plane.offer({ 'a.yaml': a, 'b.yaml': b });
    expect(plane.do({ kind: 'confirm', expected: null, change })).toBe('not-found');
    expect(outstanding(plane.state(), null).removals).toHaveLength(1);
    plane.offer({});
    expect(types(plane.do({ kind: 'confirm', expected: null, change }))).toEqual(['RemovalConfirmed', 'PolicySetPublished']);
  });

  it('[F3] covers what was shown and nothing that came later', () => {
    const plane = story();
    plane.offer({ ...ten, 'guard.yaml': policyFor('*') });
    const first = changeIn(plane.offer(ten));
    const second = changeIn(plane.offer(without(ten, 'p1.yaml', 'p2.yaml')));
    expect(second).not.toBe(first);
    expect(plane.do({ kind: 'confirm', expected: null, change: first })).toBe('not-found');
    expect(types(plane.do({ kind: 'confirm', expected: null, change: second }))).toEqual(['RemovalConfirmed', 'PolicySetPublished']);
    expect(Object.keys(plane.inForce())).toHaveLength(8);
  });
});
