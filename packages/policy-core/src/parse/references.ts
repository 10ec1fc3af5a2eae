/** Counters and the conditions that read them: no two of one name in an entry, none read that nothing declares. */
import { isExact } from '../glob.ts';
import type { Position } from '../policy.ts';
import { quote } from '../problem.ts';
import { nearest } from '../suggestion.ts';
import { scopeOf } from './counters.ts';
import type { Findings } from './findings.ts';
import type { ReadRule } from './rule.ts';

export interface ReadEntry {
  readonly pattern: string;
  readonly offset: number;
  readonly at: Position;
  readonly rules: readonly ReadRule[];
}

/** Reports duplicate counters of an entry, and `state` paths that name no counter of the document. */
export function checkReferences(tools: readonly ReadEntry[], others: readonly (readonly ReadEntry[])[], findings: Findings): void {
  const everywhere = [tools, ...others].flat();
  for (const entry of everywhere) checkDuplicates(entry, findings);
  for (const entry of tools) refuseDottedRates(entry, findings);
  for (const section of [tools, ...others]) refuseSharedPaths(section, findings);
  refuseDoubtfulReaders([tools, ...others], findings);
  const declared: Declared = {
    byTool: new Map(tools.map((entry) => [entry.pattern, new Set(entry.rules.flatMap(({ declares }) => declares ?? []))])),
    pathsElsewhere: pathsOf(others.flat()),
    paths: pathsOf(everywhere),
  };
  for (const { path, at } of everywhere.flatMap((entry) => entry.rules).flatMap((rule) => rule.asks)) {
    if (!path.startsWith('state.') || isDeclared(path, declared)) continue;
    if (path.split('.').length < 3) {
      findings.warnAt('COUNTER_UNKNOWN', at, `${quote(path)} reads a counter that nothing counts, so it is always 0: write \`state.<entry>.<counter>\``);
      continue;
    }
    findings.errorAt('COUNTER_UNKNOWN', at, undeclared(path, declared.paths));
  }
}

function undeclared(path: string, paths: ReadonlySet<string>): string {
  if (path.startsWith('state.*.')) return `${quote(path)} reads no counter, because the entry \`*\` is spelled \`_global\` there: write ${quote(path.replace('*', '_global'))}`;
  if (path.startsWith('state._global.') && paths.has(path)) return `${quote(path)} cannot be read beside a tool named \`_global\`, which such paths mean then: name that tool by a glob, \`_globa?\``;
  const meant = nearest(path, paths);
  return `no rule declares the counter that ${quote(path)} reads: ${meant === null ? 'declare it by a `state` block in a rule of that entry' : `did you mean ${quote(meant)}?`}`;
}

interface Declared {
  readonly byTool: ReadonlyMap<string, ReadonlySet<string>>;
  readonly pathsElsewhere: ReadonlySet<string>;
  readonly paths: ReadonlySet<string>;
}

function pathsOf(entries: readonly ReadEntry[]): ReadonlySet<string> {
  return new Set(entries.flatMap((entry) => entry.rules.flatMap(({ declares }) => (declares === null ? [] : [`state.${scopeOf(entry.pattern)}.${declares}`]))));
}

/**
 * A tool's counter is found by cutting the path at its first two dots, as Intercept does, so the tool may have no dot
 * and the counter may; `*` is spelled `_global`. Elsewhere, where entries are URIs, the whole path must be one that is declared.
 */
function isDeclared(path: string, { byTool, pathsElsewhere }: Declared): boolean {
  const [, scope = '', ...rest] = path.split('.');
  const counters = scope === '*' ? undefined : (byTool.get(scope) ?? (scope === '_global' ? byTool.get('*') : undefined));
  return counters?.has(rest.join('.')) === true || pathsElsewhere.has(path);
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

/**
 * `b.c` of the entry `a` and `c` of the entry `a.b` are both read as `state.a.b.c`, and are one counter to Intercept; so are those of `*` and of
 * a tool named `_global`. Whichever the path read here, adding the other entry could turn a deny into an allow.
 */
function refuseSharedPaths(section: readonly ReadEntry[], findings: Findings): void {
  const owners = new Map<string, string>();
  for (const { pattern, rules } of section) {
    for (const { declares, counterAt } of rules) {
      if (declares === null) continue;
      const path = `state.${scopeOf(pattern)}.${declares}`;
      const owner = owners.get(path);
      if (owner === undefined) owners.set(path, pattern);
      else if (owner !== pattern) findings.error('COUNTER_DUPLICATE', counterAt, `${quote(path)} reads the counter ${quote(declares)} of ${quote(pattern)} and also one of ${quote(owner)}: give one of them another name or window`);
    }
  }
}

/**
 * A path that two sections declare means, to another rule, the counter of its own section if there is one: adding that one could turn a deny
 * into an allow. The rules that declare them read their own.
 */
function refuseDoubtfulReaders(sections: readonly (readonly ReadEntry[])[], findings: Findings): void {
  const declaring = new Map<string, number>();
  for (const section of sections) for (const path of pathsOf(section)) declaring.set(path, (declaring.get(path) ?? 0) + 1);
  for (const { pattern, rules } of sections.flat()) {
    for (const { declares, asks } of rules) {
      for (const { path, at } of asks) {
        if ((declaring.get(path) ?? 0) < 2 || (declares !== null && path === `state.${scopeOf(pattern)}.${declares}`)) continue;
        findings.errorAt('COUNTER_DUPLICATE', at, `${quote(path)} reads counters of two sections: give one of them another name or window`);
      }
    }
  }
}

/** Intercept cannot read such a counter back and refuses the rule, so a policy that has one never worked there. */
function refuseDottedRates(entry: ReadEntry, findings: Findings): void {
  if (!entry.pattern.includes('.') || !isExact(entry.pattern)) return;
  const glob = entry.pattern.replaceAll('.', '?');
  for (const { rule, counterAt } of entry.rules) {
    if (rule?.counter?.from !== 'rate_limit') continue;
    findings.error('COUNTER_UNKNOWN', counterAt, `a tool with a dot in its name cannot have a rate_limit, because \`state.${entry.pattern}.…\` cannot be told apart: name it by a glob, ${quote(glob)}`);
  }
}
