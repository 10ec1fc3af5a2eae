/**
 * What the upstream says it can do, in the result of `initialize` or `server/discover`. The relay adds `listChanged` where it
 * is missing: clients listen for changed lists only where that was promised, and a policy swap changes them.
 */
import type { JsonObject } from '@portcullis/policy-core';
import { insertMember } from './edit.ts';
import type { Edit } from './edit.ts';
import type { ListsChanged } from './gate.ts';
import { isObject, own } from './message.ts';
import { membersOf } from './outline.ts';
import type { Member } from './outline.ts';

const LISTED = ['tools', 'resources', 'prompts'] as const;
const LISTED_KEYS: ReadonlySet<string> = new Set(LISTED);

/** Which lists the upstream has. */
export function listsIn(result: JsonObject): ListsChanged {
  const capabilities = own(result, 'capabilities');
  const has = (key: string): boolean => isObject(capabilities) && isObject(own(capabilities, key));
  return { tools: has('tools'), resources: has('resources'), prompts: has('prompts') };
}

/** The edits that promise changed lists for each kind that the upstream has. The result was read without doubt before. */
export function promiseListChanges(bytes: Buffer, result: Member): Edit[] {
  const capabilities = (result.members ?? []).find((member) => member.key === 'capabilities');
  const kinds = capabilities === undefined ? null : membersOf(bytes, capabilities, LISTED_KEYS);
  return (kinds ?? []).flatMap((kind) => (LISTED_KEYS.has(kind.key) ? promise(bytes, kind) : []));
}

function promise(bytes: Buffer, kind: Member): Edit[] {
  if (kind.members === null) return [];
  const present = kind.members.find((member) => member.key === 'listChanged');
  if (present === undefined) return [insertMember(bytes, kind, '"listChanged":true')];
  return bytes.toString('latin1', present.start, present.end) === 'true' ? [] : [{ start: present.start, end: present.end, text: 'true' }];
}
