/**
 * Which proxies run on this host, for `status`: one small file per process, removed when it ends. A process that was killed leaves
 * its file behind; a reader sees that nobody has that number any more, and says nothing of it.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shape } from '@portcullis/policy-core';

export interface Presence {
  readonly server: string;
  /** Without secrets, as the plane is told. */
  readonly upstream: string;
  readonly pid: number;
  readonly boot: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

const short = shape.text(4096);
const presence = shape.object<Presence>({ server: short, upstream: short, pid: shape.whole(), boot: short, startedAt: shape.whole() });

const OWNER_ONLY = 0o600;

/** Best effort: a proxy that cannot say that it runs runs all the same. Returns what takes the file away. */
export function announcePresence(directory: string, who: Presence): () => void {
  const folder = join(directory, 'running');
  const file = join(folder, `${who.pid}.json`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(file, JSON.stringify(who), { mode: OWNER_ONLY });
  } catch {
    return () => undefined;
  }
  return () => rmSync(file, { force: true });
}

/** The processes that are there now, and the server's name, which the folder's name only hints at. */
export function readPresence(directory: string, isAlive: (pid: number) => boolean): { readonly server: string | null; readonly running: readonly Presence[] } {
  const all = filesOf(join(directory, 'running')).flatMap((file) => {
    const read = shape.readJson(presence, textOf(file), file);
    return read.ok ? [read.value] : [];
  });
  const running = all.filter(({ pid }) => isAlive(pid)).sort((a, b) => a.startedAt - b.startedAt);
  return { server: all[0]?.server ?? null, running };
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
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
