/**
 * What a plane has to record on a busy day, one command after the other, each different from the last: restrictions and lifts, policies in
 * change-sets of one to twenty documents, refusals, rollbacks, hosts. For processes that are killed, so it imports the built plane.
 */
import { canonicalJson, digestOf, parsePolicy } from '@portcullis/policy-core';

const OPERATOR = { actor: { kind: 'operator', id: 'op' }, auth: { method: 'local', ref: null }, reason: 'an incident', cause: null };
const FILES = { actor: { kind: 'files', id: 'directory' }, auth: { method: 'none', ref: null }, reason: null, idem: null, cause: null };
/** Long enough that one change-set spans many pages. */
const PADDING = '# what this policy is for, in more words than anybody reads\n'.repeat(20);

/** The n-th command for this plane: gives what `execute` gives. */
export function workOnce(plane, n, nowMs) {
  const meta = { ...OPERATOR, nowMs, idem: `key-${plane.state().size}-${n}` };
  switch (n % 6) {
    case 0:
    case 3:
      return plane.execute({ kind: 'restrict', selector: { server: [`s-${n}`], labels: {} }, tools: null, readOnly: n % 4 === 0, expiresAtMs: null }, meta);
    case 1:
    case 4:
      return plane.execute({ kind: 'lift', restriction: [...plane.state().restrictions.keys()].at(-1) ?? 'none', expected: null }, meta);
    case 2:
      return offer(plane, n, nowMs);
    default:
      return plane.execute({ kind: 'rollback', to: Math.max(0, plane.state().policiesVersion - 1), expected: null }, meta);
  }
}

function offer(plane, n, nowMs) {
  const documents = new Map();
  const contents = new Map();
  const size = plane.state().size;
  for (let at = 0; at < 1 + (n % 20); at++) {
    const id = `p${at}.yaml`;
    const text = at === 7 ? `version: [${size}` : `version: "1"\ndescription: edition ${size}\n${PADDING}tools:\n  read_${size}: {}\n`;
    const bytes = Buffer.from(text);
    const textSha256 = digestOf(bytes);
    const parsed = parsePolicy({ id, bytes });
    if (!parsed.ok) {
      documents.set(id, { kind: 'invalid', textSha256, problems: parsed.problems });
      continue;
    }
    const model = Buffer.from(canonicalJson(parsed.policy));
    const modelSha256 = digestOf(model);
    contents.set(textSha256, bytes).set(modelSha256, model);
    documents.set(id, { kind: 'valid', textSha256, textBytes: bytes.length, modelSha256, modelBytes: model.length, policy: parsed.policy });
  }
  return plane.execute({ kind: 'offer', documents, git: null, removals: 'accept' }, { ...FILES, nowMs }, contents);
}
