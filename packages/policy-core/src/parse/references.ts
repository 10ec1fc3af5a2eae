/** Counters and the conditions that read them: no two of one name in an entry, none read that nothing declares. */
import { isExact } from '../glob.ts';
import type { Position } from '../policy.ts';
import { quote } from '../problem.ts';
import { nearest } from '../suggestion.ts';
import { scopeOf } from './counters.ts';
import type { Findings } from './findings.ts';
import type { ReadRule } from './rule.ts';
import type { SectionKind } from './section.ts';

export interface ReadEntry {
  readonly pattern: string;
  readonly offset: number;
  readonly at: Position;
  readonly rules: readonly ReadRule[];
}

/** Reports duplicate counters of an entry and `state` paths that name no counter of the section. */
export function checkReferences(entries: readonly ReadEntry[], kind: SectionKind, findings: Findings): void {
  for (const entry of entries) checkDuplicates(entry, findings);
  const declared = new Map(entries.map((entry) => [entry.pattern, new Set(entry.rules.flatMap(({ declares }) => declares ?? []))]));
  const names = new Set([...declared].flatMap(([pattern, counters]) => [...counters].map((counter) => `state.${scopeOf(pattern)}.${counter}`)));
  for (const entry of entries) {
    for (const rule of entry.rules) {
      if (kind === 'tool') refuseDottedRate(entry, rule, findings);
      for (const { path, at } of rule.conditions) {
        if (!path.startsWith('state.')) continue;
        const problem = referenceProblem(path, kind, declared, names);
        if (problem?.severity === 'error') findings.errorAt('COUNTER_UNKNOWN', at, problem.message);
        else if (problem !== null) findings.warnAt('COUNTER_UNKNOWN', at, problem.message);
      }
    }
  }
}

function checkDuplicates(entry: ReadEntry, findings: Findings): void {
  const first = new Map<string, number>();
  for (const { declares, counterAt } of entry.rules) {
    if (declares === null) continue;
    const before = first.get(declares);
    if (before === undefined) first.set(declares, counterAt);
    else findings.error('COUNTER_DUPLICATE', counterAt, `the counter ${quote(declares)} of ${quote(entry.pattern)} is already declared in line ${findings.at(before).line}: give one of them another name or window`);
  }
}

/** Intercept cannot read such a counter back and refuses the rule, so a policy that has one never worked there. */
function refuseDottedRate(entry: ReadEntry, { rule, counterAt }: ReadRule, findings: Findings): void {
  if (rule?.counter?.from !== 'rate_limit' || !entry.pattern.includes('.') || !isExact(entry.pattern)) return;
  const glob = entry.pattern.replaceAll('.', '?');
  findings.error('COUNTER_UNKNOWN', counterAt, `a tool with a dot in its name cannot have a rate_limit, because \`state.${entry.pattern}.…\` cannot be told apart: name it by a glob, ${quote(glob)}`);
}

interface ReferenceProblem {
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/**
 * For tools a path is cut at its first two dots, as Intercept does, so the entry may have no dot and the counter may.
 * Elsewhere, where entries are URIs, the whole path must be one that is declared.
 */
function referenceProblem(path: string, kind: SectionKind, declared: ReadonlyMap<string, ReadonlySet<string>>, names: ReadonlySet<string>): ReferenceProblem | null {
  const [, scope, ...rest] = path.split('.');
  if (rest.length === 0 || scope === undefined) {
    return { severity: 'warning', message: `${quote(path)} reads a counter that nothing counts, so it is always 0: write \`state.<entry>.<counter>\`` };
  }
  const counter = rest.join('.');
  const counters = declared.get(scope) ?? (scope === '_global' ? declared.get('*') : undefined);
  if (kind === 'tool' ? counters?.has(counter) === true : names.has(path)) return null;
  const meant = nearest(path, names);
  const advice = meant === null ? `declare it by a \`state\` block in a rule of that entry` : `did you mean ${quote(meant)}?`;
  return { severity: 'error', message: `no rule declares the counter that ${quote(path)} reads: ${advice}` };
}
