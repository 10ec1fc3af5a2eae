/**
 * What a proxy that runs alone enforces, as a value: from one settled look at the policy files to the next (F2, F3). Pure. Each document keeps its own
 * last good content; where nothing is known of a document but that it is broken, and nothing was ever in force, everything stays denied, because
 * nobody knows what it would have taken away.
 */
import { checkPolicySet, formatProblem, judgeDocument } from '@portcullis/policy-core';
import type { Policy, Problem } from '@portcullis/policy-core';
import type { Offer, OfferedFile } from '@portcullis/policy-files';

export interface AloneSet {
  /** By policy id. Null: nothing was ever in force. */
  readonly inForce: ReadonlyMap<string, GoodDocument> | null;
  /** What is wrong with the files now; what it concerns stays as it was. */
  readonly problems: readonly Problem[];
  /** What was found last under each id, so that what has not changed is not judged again. */
  readonly judged: ReadonlyMap<string, Judged>;
}

export interface GoodDocument {
  readonly text: string;
  readonly policy: Policy;
}

interface Judged {
  readonly file: OfferedFile;
  readonly good: GoodDocument | null;
  readonly problems: readonly Problem[];
}

/** Nothing is known and nothing in force. */
export const NOTHING: AloneSet = { inForce: null, problems: [], judged: new Map() };

/** What was in force when a proxy of these policies last ran; texts that this build refuses are left out, and nothing is in force if any is. */
export function restoredSet(texts: ReadonlyMap<string, string>): AloneSet {
  const good = new Map<string, GoodDocument>();
  for (const [id, text] of texts) {
    const { ok, policy } = judgeDocument({ id, bytes: Buffer.from(text, 'utf8') });
    if (!ok || policy === null) return NOTHING;
    good.set(id, { text, policy });
  }
  return { ...NOTHING, inForce: good };
}

/**
 * The files have settled into what this offer says. `only` names the one file that is watched, if it is one: that it has vanished is a problem and never a
 * removal. In a directory a file that is removed is out of force, unless another one can not be read yet: that may be what it was renamed to.
 */
export function afterOffer(before: AloneSet, { documents, unlisted }: Pick<Offer, 'documents' | 'unlisted'>, only: string | null): AloneSet {
  const judged = new Map([...documents].map(([id, file]) => [id, judge(id, file, before.judged.get(id))]));
  const known = before.inForce ?? new Map<string, GoodDocument>();
  const next = new Map<string, GoodDocument>();
  const neverGood: string[] = [];
  for (const [id, { good }] of judged) {
    const kept = good ?? known.get(id);
    if (kept === undefined) neverGood.push(id);
    else next.set(id, kept);
  }
  const problems = [...judged.values()].flatMap((one) => one.problems);
  for (const [id, kept] of known) {
    if (documents.has(id)) continue;
    if (id === only) problems.push(wholeFile(id, 'is gone; what it said last stays in force until it is back'));
    else if (neverGood.length > 0) problems.push(wholeFile(id, `is gone; what it said stays in force until ${neverGood.join(', ')} can be read, which may be its new name`));
    else if (![...unlisted.keys()].some((prefix) => id.startsWith(prefix))) continue;
    next.set(id, kept);
  }
  problems.push(...unlisted.values());
  if (only !== null && !documents.has(only) && !known.has(only)) problems.push(wholeFile(only, 'does not exist: write it'));
  const whole = checkPolicySet([...next.values()].map(({ policy }) => policy));
  const refused = whole.some(({ severity }) => severity === 'error') || (before.inForce === null && problems.some(({ severity }) => severity === 'error'));
  return { inForce: refused ? before.inForce : next, problems: [...problems, ...whole], judged };
}

function judge(id: string, file: OfferedFile, before: Judged | undefined): Judged {
  if (before?.file === file) return before;
  if (file.kind === 'unreadable') return { file, good: null, problems: [file.problem] };
  const { ok, policy, problems } = judgeDocument({ id, bytes: file.bytes });
  return { file, good: ok && policy !== null ? { text: file.bytes.toString('utf8'), policy } : null, problems };
}

function wholeFile(file: string, message: string): Problem {
  return { file, line: 1, column: 1, code: 'FILE_UNREADABLE', severity: 'error', message, frame: null };
}

/** One line of a terminal or two; messages quote their text shortly. */
const MAX_BRIEF_CHARS = 1_000;

/** Errors in one line each, the first few. */
export function problemsInBrief(problems: readonly Problem[], most: number): readonly string[] {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const shown = errors.slice(0, most).map((problem) => formatProblem({ ...problem, frame: null }).replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, MAX_BRIEF_CHARS));
  return errors.length > most ? [...shown, `and ${errors.length - most} more (\`portcullis check\` shows all)`] : shown;
}
