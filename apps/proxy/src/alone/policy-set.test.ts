import { describe, expect, it } from 'vitest';
import type { Offer, OfferedFile } from '@portcullis/policy-files';
import { afterOffer, NOTHING, problemsInBrief, restoredSet, type AloneSet } from './policy-set.ts';

const GOOD = 'version: "1"\n';
const BETTER = 'version: "1"\ndefault: deny\n';
const BROKEN = 'version: "1"\ndefault: maybe\n';
const FAILING = 'version: "1"\ntests: [{ name: t, call: { tool: a }, expect: deny }]\n';

function content(text: string): OfferedFile {
  return { kind: 'content', bytes: Buffer.from(text), sha256: text };
}

function unreadable(file: string): OfferedFile {
  return { kind: 'unreadable', problem: { file, line: 1, column: 1, code: 'FILE_UNREADABLE', severity: 'error', message: 'cannot be read', frame: null } };
}

function offer(files: Readonly<Record<string, string | OfferedFile>>, unlisted: Offer['unlisted'] = new Map()): Pick<Offer, 'documents' | 'unlisted'> {
  return { documents: new Map(Object.entries(files).map(([id, file]) => [id, typeof file === 'string' ? content(file) : file])), unlisted };
}

function texts({ inForce }: AloneSet): Readonly<Record<string, string>> | null {
  return inForce === null ? null : Object.fromEntries([...inForce].map(([id, { text }]) => [id, text]));
}

const good = afterOffer(NOTHING, offer({ 'a.yaml': GOOD, 'b.yaml': GOOD }), null);

describe('what a proxy that runs alone enforces', () => {
  it('[P3] is nothing before every document was valid once', () => {
    expect(texts(good)).toEqual({ 'a.yaml': GOOD, 'b.yaml': GOOD });
    for (const bad of [BROKEN, FAILING, unreadable('b.yaml')]) {
      const closed = afterOffer(NOTHING, offer({ 'a.yaml': GOOD, 'b.yaml': bad }), null);
      expect(texts(closed)).toBeNull();
      expect(problemsInBrief(closed.problems, 5)[0]).toContain('b.yaml:');
      expect(texts(afterOffer(closed, offer({ 'a.yaml': GOOD, 'b.yaml': GOOD }), null))).toEqual({ 'a.yaml': GOOD, 'b.yaml': GOOD });
    }
    expect(texts(afterOffer(NOTHING, offer({}), null))).toEqual({});
  });

  it('[F2] keeps each document\'s own last good content, and takes the change of another', () => {
    const next = afterOffer(good, offer({ 'a.yaml': BROKEN, 'b.yaml': BETTER, 'c.yaml': BROKEN }), null);
    expect(texts(next)).toEqual({ 'a.yaml': GOOD, 'b.yaml': BETTER });
    expect(problemsInBrief(next.problems, 1)).toEqual([expect.stringContaining('a.yaml:2:10') as string, 'and 1 more (`portcullis check` shows all)']);
    expect(texts(afterOffer(next, offer({ 'a.yaml': GOOD, 'b.yaml': BETTER }), null))).toEqual({ 'a.yaml': GOOD, 'b.yaml': BETTER });
  });

  it('[F2] leaves a removed document in force while an unread one may be its new name', () => {
    const renamed = afterOffer(good, offer({ 'a.yaml': GOOD, 'b2.yaml': BROKEN }), null);
    expect(texts(renamed)).toEqual({ 'a.yaml': GOOD, 'b.yaml': GOOD });
    expect(texts(afterOffer(renamed, offer({ 'a.yaml': GOOD, 'b2.yaml': BETTER }), null))).toEqual({ 'a.yaml': GOOD, 'b2.yaml': BETTER });
    expect(texts(afterOffer(good, offer({ 'a.yaml': GOOD }), null))).toEqual({ 'a.yaml': GOOD });
  });

  it('[F3] takes what cannot be listed, and one file that has vanished, for no removal', () => {
    const below = afterOffer(NOTHING, offer({ 'a.yaml': GOOD, 'team/b.yaml': GOOD }), null);
    const problem = { file: 'team/', line: 1, column: 1, code: 'FILE_UNREADABLE', severity: 'error', message: 'cannot be listed', frame: null } as const;
    expect(texts(afterOffer(below, offer({ 'a.yaml': GOOD }, new Map([['team/', problem]])), null))).toEqual({ 'a.yaml': GOOD, 'team/b.yaml': GOOD });
    const one = afterOffer(NOTHING, offer({ 'a.yaml': GOOD }), 'a.yaml');
    const gone = afterOffer(one, offer({}), 'a.yaml');
    expect(texts(gone)).toEqual({ 'a.yaml': GOOD });
    expect(gone.problems).toHaveLength(1);
    expect(texts(afterOffer(NOTHING, offer({}), 'a.yaml'))).toBeNull();
  });

  it('begins with what was in force last, or with nothing where this build refuses any of it', () => {
    expect(texts(restoredSet(new Map([['a.yaml', BETTER]])))).toEqual({ 'a.yaml': BETTER });
    expect(restoredSet(new Map([['a.yaml', GOOD], ['b.yaml', BROKEN]]))).toBe(NOTHING);
    expect(texts(afterOffer(restoredSet(new Map([['a.yaml', BETTER]])), offer({ 'a.yaml': BROKEN }), null))).toEqual({ 'a.yaml': BETTER });
  });
});
