/**
 * Which proxies run on this host, for `status`: one small file per process, replaced whenever something in it changes and removed when the
 * process ends. A process that was killed leaves its file behind; a reader sees that nobody has that number any more, and says nothing of it.
 * The server's name stays in a file of its own: the folder's name only hints at it.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shape } from '@portcullis/policy-core';
import { aloneState } from '../alone/alone-state.ts';
import type { AloneState } from '../alone/alone-state.ts';
import { linkState } from '../link/link-state.ts';
import type { LinkState } from '../link/link-state.ts';
import { isAlive } from './alive.ts';

export interface Presence {
  readonly server: string;
  /** Without secrets, as the plane is told. */
  readonly upstream: string;
  readonly pid: number;
  readonly boot: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** How it stands with its plane; null where it runs alone. */
  readonly link: LinkState | null;
  /** What it enforces, where it runs alone; null otherwise. */
  readonly alone: AloneState | null;
}

export interface PresenceFile {
  /** Something of it has changed. */
  update(changed: Partial<Pick<Presence, 'link' | 'alone'>>): void;
  remove(): void;
}

const short = shape.text(4096);
const presence = shape.object<Presence>({ server: short, upstream: short, pid: shape.whole(), boot: short, startedAt: shape.whole(), link: shape.nullable(linkState), alone: shape.nullable(aloneState) });

const OWNER_ONLY = 0o600;
const FILE = /^\d+\.json$/;
const NAME = 'server';

/** Best effort: a proxy that cannot say that it runs runs all the same. */
export function announcePresence(directory: string, who: Presence): PresenceFile {
  const folder = join(directory, 'running');
  const file = join(folder, `${who.pid}.json`);
  const write = (now: Presence): void => {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      replace(join(directory, NAME), who.server);
      replace(file, JSON.stringify(now));
    } catch {
      // What `status` says of this process is then older than it is.
    }
  };
  write(who);
  forgetTheDead(folder);
  return { update: (changed) => write({ ...who, ...changed }), remove: () => rmSync(file, { force: true }) };
}

/** Files of processes that were killed: they would stay for ever. */
function forgetTheDead(folder: string): void {
  for (const file of filesOf(folder)) if (!isAlive(Number(/(\d+)\.json$/.exec(file)?.[1]))) rmSync(file, { force: true });
}

/** By rename, so that no reader finds half of it. */
function replace(file: string, text: string): void {
  const unfinished = `${file}.${process.pid}.tmp`;
  writeFileSync(unfinished, text, { mode: OWNER_ONLY });
  renameSync(unfinished, file);
}

/** The processes that are there now, and the server's name; null where no proxy of it has run. */
export function readPresence(directory: string, isAlive: (pid: number) => boolean): { readonly server: string | null; readonly running: readonly Presence[] } {
  const all = filesOf(join(directory, 'running')).flatMap((file) => {
    const read = shape.readJson(presence, textOf(file), file);
    return read.ok ? [read.value] : [];
  });
  const running = all.filter(({ pid }) => isAlive(pid)).sort((a, b) => a.startedAt - b.startedAt);
  const name = textOf(join(directory, NAME));
  return { server: name === '' ? (all[0]?.server ?? null) : name, running };
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => FILE.test(name)).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
