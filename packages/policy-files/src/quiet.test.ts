import { describe, expect, it } from 'vitest';
import { DOUBTFUL_MS, LARGE_BYTES, quietOf, quietOfText, REMOVED_AFTER_FAILURE_MS, REMOVED_MS, RENAMED_MS, REWRITTEN_LARGE_MS, REWRITTEN_MS } from './quiet.ts';
import type { Change } from './quiet.ts';
import type { FileSighting } from './sighting.ts';

const file = (over: Partial<FileSighting> = {}): FileSighting => ({ kind: 'file', path: '/p/a.yaml', stamp: '1', inode: 'old', size: 100, movedIn: false, ...over });
const quiet = (over: Partial<Change> = {}) => quietOf({ before: file(), now: file({ stamp: '2' }), evidence: 'written', knownBytes: 100, afterFailure: false, ...over });

describe('[F4] how long a change must be quiet', () => {
  it.each<[string, number, Partial<Change>]>([
    ['rewritten in place', REWRITTEN_MS, {}],
    ['rewritten in place, large', REWRITTEN_LARGE_MS, { now: file({ size: LARGE_BYTES + 1 }) }],
    ['rewritten in place, smaller than what is in force', DOUBTFUL_MS, { now: file({ size: 99 }) }],
    ['empty', DOUBTFUL_MS, { now: file({ size: 0 }) }],
    ['empty, by a rename', DOUBTFUL_MS, { now: file({ size: 0, inode: 'new', movedIn: true }), evidence: 'moved' }],
    ['another file, named after its last write', RENAMED_MS, { now: file({ inode: 'new', movedIn: true }) }],
    ['another file, of which no event reported a write', RENAMED_MS, { now: file({ inode: 'new' }), evidence: 'moved' }],
    ['another file, whole, and smaller', RENAMED_MS, { now: file({ inode: 'new', movedIn: true, size: 9 }) }],
    ['another file, created and written', REWRITTEN_MS, { now: file({ inode: 'new' }) }],
    ['another file, created and written, smaller', DOUBTFUL_MS, { now: file({ inode: 'new', size: 9 }) }],
    ['another file, of which no event came at all', REWRITTEN_MS, { now: file({ inode: 'new' }), evidence: undefined }],
    ['the same file, whatever its times say', REWRITTEN_MS, { now: file({ movedIn: true }), evidence: 'moved' }],
    ['a new file', REWRITTEN_MS, { before: undefined, knownBytes: undefined }],
    ['gone', REMOVED_MS, { now: undefined }],
    ['gone, just after the directory was', REMOVED_AFTER_FAILURE_MS, { now: undefined, afterFailure: true }],
  ])('%s: %d ms', (_what, ms, change) => {
    expect(quiet(change)).toBe(ms);
  });

  it('a text without a final newline is doubted, whatever its writer did', () => {
    expect(quietOfText(RENAMED_MS, Buffer.from('a\n'))).toBe(RENAMED_MS);
    expect(quietOfText(RENAMED_MS, Buffer.from('a'))).toBe(DOUBTFUL_MS);
    expect(quietOfText(REMOVED_MS, Buffer.from('a'))).toBe(REMOVED_MS);
  });
});
