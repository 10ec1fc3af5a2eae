/**
 * The last good policies of a proxy that runs alone, so that a file which is broken when the next session starts does not go out of force, and one that is
 * gone does not either where nobody can see the directory. All processes of one set of files share it; the last that changed something has written it.
 */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { shape } from '@portcullis/policy-core';
import { fileSystem } from './disk.ts';
import { folderOf } from './last-good.ts';

/** As many policies as the plane takes. */
const MAX_DOCUMENTS = 5_000;
const MAX_TEXT_CHARS = 1024 * 1024;
/** It is read at every start, before the first call. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

interface Stored {
  readonly format: 1;
  /** Where the policies are, for whoever looks at the file. */
  readonly policies: string;
  readonly documents: Readonly<Record<string, string>>;
}

const stored = shape.object<Stored>({ format: shape.exactly(1), policies: shape.text(4096), documents: shape.mapping(shape.text(MAX_TEXT_CHARS), MAX_DOCUMENTS) });

/** What belongs to the proxies of these policies; and, with a server, to those of that server: its counts, decisions and processes. */
export function aloneDirectory(home: string, policies: string, server?: string): string {
  const shared = join(aloneRoot(home), folderOf(policies));
  return server === undefined ? shared : join(shared, folderOf(server));
}

export function aloneRoot(home: string): string {
  return join(home, 'alone');
}

/** Texts by policy id; null where nothing was stored, or it cannot be read. */
export function readAloneSet(home: string, policies: string): ReadonlyMap<string, string> | null {
  const file = fileIn(aloneDirectory(home, policies));
  try {
    if (statSync(file).size > MAX_FILE_BYTES) return null;
    const read = shape.readJson(stored, readFileSync(file, 'utf8'), file);
    return read.ok && read.value.policies === policies ? new Map(Object.entries(read.value.documents)) : null;
  } catch {
    return null;
  }
}

/** Replaces what is stored, durably. Rejects where that cannot be done; what was stored before is then still there. */
export async function writeAloneSet(home: string, policies: string, texts: ReadonlyMap<string, string>): Promise<void> {
  const folder = aloneDirectory(home, policies);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const bytes = Buffer.from(JSON.stringify({ format: 1, policies, documents: Object.fromEntries(texts) } satisfies Stored));
  if (bytes.length > MAX_FILE_BYTES) throw new Error(`the policies have ${bytes.length} bytes together, and at most ${MAX_FILE_BYTES} are kept for the next start`);
  const unfinished = `${fileIn(folder)}.${process.pid}.tmp`;
  await fileSystem.writeDurably(unfinished, bytes);
  await fileSystem.renameLater(unfinished, fileIn(folder));
  await fileSystem.syncFolder(folder);
}

function fileIn(folder: string): string {
  return join(folder, 'last-good.json');
}
