/** What is in force on this host, for which servers, read from what the proxies have stored. Asks nobody and changes nothing. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Restriction } from '@portcullis/policy-core';
import { held } from './guard/guard.ts';
import { readEnrolment, type FoundEnrolment } from './host/enrolment.ts';
import { openFooting } from './link/footing.ts';
import { inForce } from './link/live.ts';
import { aloneRoot } from './store/alone-set.ts';
import { lastGoodRoot } from './store/last-good.ts';
import { readPresence, type Presence } from './store/presence.ts';

export interface HostStatus {
  readonly enrolment: { readonly host: string; readonly name: string; readonly url: string; readonly log: string } | null;
  /** What is wrong with the enrolment, or null. */
  readonly problem: string | null;
  readonly servers: readonly ServerStatus[];
  /** Servers whose proxies run alone, or ran so last. */
  readonly alone: readonly AloneServer[];
}

export interface AloneServer {
  readonly server: string;
  /** With what each of them enforces, in `alone`. */
  readonly running: readonly Presence[];
}

export interface ServerStatus {
  readonly server: string;
  readonly policiesVersion: number | null;
  readonly restrictionsVersion: number | null;
  readonly policies: readonly string[];
  readonly restrictions: readonly { readonly id: string; readonly reason: string }[];
  /** Milliseconds since 1970 at which the newest part was stored. */
  readonly storedAt: number | null;
  /** For how long what is held had not been known to be current when it was written last. */
  readonly staleMs: number;
  readonly running: readonly Presence[];
  readonly problems: readonly string[];
}

export function readStatus(home: string, nowMs: number, isAlive: (pid: number) => boolean): HostStatus {
  const alone = aloneServers(home, isAlive);
  const found = readEnrolment(home);
  if (found.kind !== 'enrolled') return { enrolment: null, problem: found.kind === 'broken' ? found.problem : null, servers: [], alone };
  const { host, name, url, log } = found.enrolment;
  const root = lastGoodRoot(home, log);
  const servers = foldersOf(root).flatMap((folder) => serverStatus(home, join(root, folder), found, nowMs, isAlive) ?? []);
  return { enrolment: { host, name, url, log }, problem: null, servers, alone };
}

function aloneServers(home: string, isAlive: (pid: number) => boolean): readonly AloneServer[] {
  const root = aloneRoot(home);
  return foldersOf(root).flatMap((policies) =>
    foldersOf(join(root, policies)).flatMap((folder) => {
      const { server, running } = readPresence(join(root, policies, folder), isAlive);
      return server === null ? [] : [{ server, running }];
    }),
  );
}

function serverStatus(home: string, directory: string, found: Extract<FoundEnrolment, { kind: 'enrolled' }>, nowMs: number, isAlive: (pid: number) => boolean): ServerStatus | null {
  const { server, running } = readPresence(directory, isAlive);
  const footing = server === null ? null : openFooting(home, found.enrolment, server);
  if (server === null || footing === null) return null;
  const { lastGood, state, problems } = footing;
  const marks = held(state);
  const last = inForce(footing, state);
  return {
    server,
    policiesVersion: marks.policies?.version ?? null,
    restrictionsVersion: marks.restrictions?.version ?? null,
    policies: last?.policies.map((policy) => policy.id) ?? [],
    restrictions: last?.restrictions.map((restriction: Restriction) => ({ id: restriction.id, reason: restriction.reason })) ?? [],
    storedAt: newest(directory),
    staleMs: lastGood.readStale(nowMs),
    running,
    problems,
  };
}

function newest(directory: string): number | null {
  const times = foldersOf(directory).filter((name) => /^(policies|restrictions|head)-/.test(name)).map((name) => modified(join(directory, name)));
  return times.length === 0 ? null : Math.round(Math.max(...times));
}

function modified(file: string): number {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

function foldersOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}
