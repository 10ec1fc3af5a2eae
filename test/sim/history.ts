/** What the plane ever wanted, version by version, judged without snapshots, cuts or frames: what laws are held against. */
import { compilePolicies, decide, digestOf, memoryCounters, policiesBody, restrictionsBody, selectPolicies, selectRestrictions } from '@portcullis/policy-core';
import type { Labels, Policy, Restriction } from '@portcullis/policy-core';
import type { PlaneState } from '../../apps/control-plane/src/domain/state.ts';
import { maskBy } from './proxy.ts';

export interface Version {
  readonly version: number;
  /** True time. */
  readonly at: number;
  readonly policies: ReadonlyMap<string, Policy>;
  readonly restrictions: readonly Restriction[];
  readonly labels: ReadonlyMap<string, Labels>;
}

export interface Wanted {
  readonly mask: number;
  readonly policies: string;
  readonly restrictions: string;
}

export interface History {
  note(state: PlaneState, policies: ReadonlyMap<string, Policy>, at: number): void;
  readonly versions: readonly Version[];
  /** The versions from `version` (or the next one there is) to the head. */
  since(version: number): readonly Version[];
  /** What a proxy had to enforce at a version, and what that permits. */
  wanted(version: Version, host: string, server: string): Wanted;
  /** The restrictions that a proxy had to obey at a version. */
  restrictions(version: Version, host: string, server: string): readonly Restriction[];
}

export function makeHistory(): History {
  const versions: Version[] = [];
  const known = new Map<string, Wanted>();
  const identity = (version: Version, host: string, server: string) => ({ server, labels: version.labels.get(host) ?? {} });
  const restrictions = (version: Version, host: string, server: string): readonly Restriction[] => selectRestrictions(version.restrictions, identity(version, host, server));
  return {
    versions,
    note: (state, policies, at) => {
      const labels = new Map([...state.hosts].map(([host, known]) => [host, known.labels]));
      versions.push({ version: state.version, at, policies, restrictions: [...state.restrictions.values()].map(({ restriction }) => restriction), labels });
    },
    since: (from) => {
      let low = versions.length;
      while (low > 0 && versions[low - 1]!.version >= from) low -= 1;
      return versions.slice(low);
    },
    wanted: (version, host, server) => {
      const key = `${version.version} ${host} ${server}`;
      const before = known.get(key);
      if (before !== undefined) return before;
      const who = identity(version, host, server);
      const obeyed = restrictions(version, host, server);
      const made = { ...permitted(version.policies, obeyed, who), restrictions: digestOf(restrictionsBody(obeyed)) };
      known.set(key, made);
      return made;
    },
    restrictions,
  };
}

function permitted(policies: ReadonlyMap<string, Policy>, restrictions: readonly Restriction[], identity: { readonly server: string; readonly labels: Labels }): { readonly mask: number; readonly policies: string } {
  const selected = selectPolicies(policies.values(), identity);
  const enforcement = compilePolicies(selected, identity, `npx ${identity.server}`);
  const context = { ...identity, upstream: `npx ${identity.server}`, clientName: null, nowMs: 0, staleMs: 0 };
  const mask = maskBy((call) => decide({ enforcement, restrictions, call, context, counters: memoryCounters() }).decision.decision === 'allow');
  return { mask, policies: digestOf(policiesBody(selected)) };
}

/** Which probes a restriction forbids, whatever policies say. */
export function forbids({ scope }: Restriction, tool: string | null): boolean {
  return scope.kind === 'all' || (tool !== null && scope.globs.includes(tool));
}
