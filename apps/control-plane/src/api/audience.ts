/**
 * Whom a selector reaches among what the plane knows, and which of its words name nothing: a typing error restricts nobody, and must not
 * look like a gate that is shut.
 */
import { selects } from '@portcullis/policy-core';
import type { Labels, Selector } from '@portcullis/policy-core';
import type { PlaneState } from '../domain/state.ts';
import type { Fleet } from '../fleet/fleet.ts';

export interface Audience {
  /** Known proxies, connected or not, that the selector is about, of all of them. */
  readonly proxies: number;
  readonly known: number;
  /** Server globs of the selector that name no known proxy's server. */
  readonly strayServers: readonly string[];
  /** `key=glob` of the selector that no known host carries. */
  readonly strayLabels: readonly string[];
  /** What there is to name, at most MAX_SUGGESTED of each; empty where nothing is stray. */
  readonly servers: readonly string[];
  readonly labels: readonly string[];
}

/** More than that is no help to somebody who looks for a typing error. */
const MAX_SUGGESTED = 20;

/** A host without a proxy may start one at any moment, so that its labels are known. */
export function audienceOf(selector: Selector, state: PlaneState, fleet: Fleet): Audience {
  const proxies = fleet.proxies();
  const hosts = [...state.hosts.values()].filter(({ revoked }) => !revoked);
  const strayServers = selector.server.filter((glob) => !proxies.some(({ server }) => selects({ server: [glob], labels: {} }, { server, labels: {} })));
  const asked = Object.entries(selector.labels).flatMap(([key, globs]) => globs.map((glob) => [key, glob] as const));
  const carried = [...proxies, ...hosts].map(({ labels }) => labels);
  const strayLabels = asked.filter(([key, glob]) => !carried.some((labels) => selects({ server: [], labels: { [key]: [glob] } }, { server: '', labels })));
  return {
    proxies: proxies.filter(({ server, labels }) => selects(selector, { server, labels })).length,
    known: proxies.length,
    strayServers,
    strayLabels: strayLabels.map(([key, glob]) => `${key}=${glob}`),
    servers: strayServers.length === 0 ? [] : first(proxies.map(({ server }) => server)),
    labels: strayLabels.length === 0 ? [] : first(carried.flatMap(spelled)),
  };
}

function spelled(labels: Labels): readonly string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}

function first(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort().slice(0, MAX_SUGGESTED);
}
