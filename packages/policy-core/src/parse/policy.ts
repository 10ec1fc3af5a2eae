/**
 * Bytes of a policy file -> a Policy, its tests, and every problem at once (DESIGN section 4).
 *
 * bytes -> text (source.ts) -> tree (yaml.ts, tree.ts) -> shape (conform.ts) -> meaning (section.ts and the rest)
 * -> what is legal but surely wrong (suspicions.ts).
 */
import { MAX_GLOB_LENGTH } from '../glob.ts';
import { POLICY_MODEL } from '../policy.ts';
import type { Entry, PlacedName, Policy, PolicyTest } from '../policy.ts';
import { quote } from '../problem.ts';
import type { Problem } from '../problem.ts';
import { DOCUMENT, EFFECTS, MODES } from '../schema/tables.ts';
import { conform } from './conform.ts';
import { collectFindings } from './findings.ts';
import type { Findings } from './findings.ts';
import { readAdmits, readMatch, readOnStale } from './match.ts';
import { child, itemsOf, wordOf, isBlank, isNull, placeOf } from './nodes.ts';
import type { MapNode, Node } from './nodes.ts';
import { MAX_RULES, readSections } from './section.ts';
import { decodeSource } from './source.ts';
import { warnOfSuspicions } from './suspicions.ts';
import { readTests } from './tests.ts';
import { readYaml } from './yaml.ts';

export type ParsedPolicy =
  | {
      readonly ok: true;
      readonly policy: Policy;
      readonly tests: readonly PolicyTest[];
      /** Warnings. */
      readonly problems: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Names under hide and read_only. */
const MAX_NAMES = 10_000;

/**
 * Parses one policy file. `id` is its path relative to the policy directory, with `/`; problems name the file by it.
 * Never throws; the work is bounded by limits that are themselves reported as problems.
 */
export function parsePolicy(source: { readonly id: string; readonly bytes: Uint8Array }): ParsedPolicy {
  const decoded = decodeSource(source.bytes);
  const findings = collectFindings(source.id, decoded.text);
  if (!decoded.ok) {
    for (const { code, offset, message } of decoded.faults) findings.error(code, offset, message);
    return { ok: false, problems: findings.problems() };
  }
  const tree = readYaml(decoded.text, findings);
  if (tree === null) return { ok: false, problems: findings.problems() };
  const document = documentOf(tree.root, findings);
  if (document === null) return { ok: false, problems: findings.problems() };
  const { policy, tests } = readDocument(document, source.id, findings);
  return findings.failed ? { ok: false, problems: findings.problems() } : { ok: true, policy, tests, problems: findings.problems() };
}

/** An empty document is an empty policy, whose one fault is the missing version. */
function documentOf(root: Node | null, findings: Findings): MapNode | null {
  if (root === null || isNull(root)) return { kind: 'map', pairs: new Map(), own: 0, offset: 0 };
  if (root.kind === 'map') return root;
  findings.error('TYPE', root.offset, `a policy is a mapping that begins with \`version: "1"\`, not ${root.kind === 'list' ? 'a list' : quote(root.text)}`);
  return null;
}

function readDocument(document: MapNode, id: string, findings: Findings): { readonly policy: Policy; readonly tests: readonly PolicyTest[] } {
  const misspelt = conform(document, DOCUMENT, findings);
  const mode = wordOf(document, 'mode', MODES) ?? 'enforce';
  const context = { findings, misspelt, policyMode: mode, regexes: new Map() };
  const match = readMatch(document, id, findings);
  const description = child(document, 'description');
  const policy: Policy = {
    model: POLICY_MODEL,
    id,
    description: description?.kind === 'scalar' ? description.text : null,
    match,
    admits: readAdmits(document, match),
    mode,
    default: wordOf(document, 'default', EFFECTS) ?? 'allow',
    defaultAt: document.pairs.has('default') ? findings.at(placeOf(document, 'default')) : { line: 1, column: 1 },
    onStale: readOnStale(document, findings),
    hide: readNames(document, 'hide', findings),
    readOnly: child(document, 'read_only') === null ? null : readNames(document, 'read_only', findings),
    ...readSections(document, context),
  };
  limitRules(policy, document, findings);
  const tests = readTests(document, policy, findings);
  // What is wrong with a test says nothing against the policy that it tests.
  if (!findings.failedBeside('TEST')) warnOfSuspicions(policy, tests, findings);
  return { policy, tests };
}

function readNames(document: MapNode, key: 'hide' | 'read_only', findings: Findings): readonly PlacedName[] {
  const items = itemsOf(document, key);
  if (items.length > MAX_NAMES) findings.error('HIDE', placeOf(document, key), `\`${key}\` may have ${MAX_NAMES} names, not ${items.length}`);
  const seen = new Set<string>();
  const names: PlacedName[] = [];
  for (const item of items) {
    if (item.kind !== 'scalar') continue;
    const { text, offset } = item;
    if (isBlank(text)) findings.error('HIDE', offset, `an entry of \`${key}\` must not be empty: remove it`);
    else if (text.length > MAX_GLOB_LENGTH) findings.error('GLOB', offset, `a name or glob may have ${MAX_GLOB_LENGTH} characters, not ${text.length}`);
    else if (seen.has(text)) findings.error('HIDE', offset, `\`${key}\` has a duplicate entry ${quote(text)}: remove it`);
    seen.add(text);
    names.push({ name: text, at: findings.at(offset) });
  }
  return names;
}

function limitRules(policy: Policy, document: MapNode, findings: Findings): void {
  const rules = ruleCount([policy.tools, policy.resources ?? [], policy.prompts ?? [], policy.methods ?? []].flat());
  if (rules > MAX_RULES) findings.error('SET_TOO_LARGE', document.offset, `a policy may have ${MAX_RULES} rules, not ${rules}: split it into several policies`);
}

function ruleCount(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + entry.rules.length, 0);
}
