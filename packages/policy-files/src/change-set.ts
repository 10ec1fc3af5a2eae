/** What differs between what the last offer said and what is settled now. */
import type { Problem } from '@portcullis/policy-core';
import type { Offer, OfferedFile } from './offer.ts';
import type { Settled } from './settle.ts';

export type ChangeSet = Pick<Offer, 'documents' | 'changed' | 'removed' | 'unlisted'> & { readonly differs: boolean };

/** Files are the same where they are the same object: `settle.ts` keeps the earlier object for equal content. */
export function changeSet(before: ReadonlyMap<string, Settled>, after: ReadonlyMap<string, Settled>): ChangeSet {
  const documents = new Map<string, OfferedFile>();
  const unlisted = new Map<string, Problem>();
  const changed = new Set<string>();
  const removed = new Set<string>();
  let differs = false;
  for (const [id, { file }] of [...after].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const isNew = before.get(id)?.file !== file;
    differs ||= isNew;
    if (!id.endsWith('/')) {
      documents.set(id, file);
      if (isNew) changed.add(id);
    } else if (file.kind === 'unreadable') {
      unlisted.set(id, file.problem);
    }
  }
  for (const id of before.keys()) {
    if (after.has(id)) continue;
    differs = true;
    if (!id.endsWith('/')) removed.add(id);
  }
  return { documents, changed, removed, unlisted, differs };
}
