/**
 * Restrictions as an overlay on policies: effective permission = policy AND restriction. They apply to policies in
 * observe mode too, and they trust no hint of a server: what still passes a read-only one is what policies list.
 */
import type { Call } from './call.ts';
import type { Cause, Enforcement } from './evaluate/evaluation.ts';
import { compileGlob } from './glob.ts';
import type { Restriction } from './restriction.ts';

/** The restrictions that deny a call, as causes, in the order given; null where none does. */
export function restrictionCauses(restrictions: readonly Restriction[], call: Call, enforcement: Enforcement): readonly Cause[] | null {
  let causes: Cause[] | null = null;
  for (const restriction of restrictions) {
    if (!covers(restriction, call)) continue;
    if (restriction.readOnly && enforcement.readsOnly(call)) continue;
    (causes ??= []).push(causeOf(restriction));
  }
  return causes;
}

/** What the lists of a server may show under policies and restrictions. */
export interface Visibility {
  tool(name: string): boolean;
  resource(uri: string): boolean;
  prompt(name: string): boolean;
  /** A policy hides something, so that a hidden name must answer as a name that nobody lists (P4). */
  readonly hidesTools: boolean;
  /** Under lockdown, without an admitting policy, or on the wrong upstream nothing is listed. */
  readonly empty: boolean;
}

/** Compiles what lists may show: hidden and restricted tools leave the list; what is merely denied stays, as in Intercept. */
export function visibility(enforcement: Enforcement, restrictions: readonly Restriction[]): Visibility {
  const everything = restrictions.filter(({ scope }) => scope.kind === 'all');
  const lockedDown = everything.some(({ readOnly }) => !readOnly);
  const empty = lockedDown || !enforcement.admitted || enforcement.wrongUpstream;
  const shown = (name: string): boolean => !empty && (everything.length === 0 || enforcement.listsAsReadOnly(name));
  return {
    tool: (name) =>
      shown(name) &&
      !enforcement.hides('tool', name) &&
      restrictions.every((restriction) => !coversTool(restriction, name) || (restriction.readOnly && enforcement.listsAsReadOnly(name))),
    resource: shown,
    prompt: shown,
    hidesTools: enforcement.hidesAny,
    empty,
  };
}

/** Which tools tools/list may show. */
export function listFilter(enforcement: Enforcement, restrictions: readonly Restriction[]): (name: string) => boolean {
  const visible = visibility(enforcement, restrictions);
  return (name) => visible.tool(name);
}

function covers(restriction: Restriction, call: Call): boolean {
  return restriction.scope.kind === 'all' || (call.kind === 'tool' && coversTool(restriction, call.name));
}

function coversTool(restriction: Restriction, name: string): boolean {
  return restriction.scope.kind === 'all' || compiledGlobs(restriction).some((matches) => matches(name));
}

/** Compiled once per restriction; forgotten with it. */
const compiled = new WeakMap<Restriction, readonly ((name: string) => boolean)[]>();

function compiledGlobs(restriction: Restriction): readonly ((name: string) => boolean)[] {
  const known = compiled.get(restriction);
  if (known !== undefined) return known;
  const globs = restriction.scope.kind === 'tools' ? restriction.scope.globs.map(compileGlob) : [];
  compiled.set(restriction, globs);
  return globs;
}

function causeOf(restriction: Restriction): Cause {
  const rule = '(restricted)';
  return {
    reason: 'restricted',
    message: restriction.reason,
    rule,
    determinant: { by: 'restriction', source: restriction.id, rule, entry: null, at: null },
  };
}
