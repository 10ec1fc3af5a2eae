/** `portcullis log export` and `log verify`: the log as files that anybody can check, and the check. Neither needs a plane. */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CHECKPOINT_PATH, encodeHash, openCheckpoint, parseVerifierKey, verifyDirectory } from '@portcullis/tlog';
import type { Checkpoint, FileReader, VerifierKey } from '@portcullis/tlog';
import { portcullisHome, readDiscovery } from '../discovery.ts';
import type { LogStore } from '../log/store.ts';
import { KEY_PATH, namedByBody, namedByEntry, payloadPath, publishLog, sha256Of } from '../published-log.ts';
import type { PublishedLog } from '../published-log.ts';
import { auditGuide } from './audit-guide.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

/** Problems printed; a broken log has one cause or a thousand symptoms. */
const MAX_SHOWN = 20;

export interface ExportOptions {
  readonly out: string;
  readonly data?: string;
  readonly json?: boolean;
}

/** Writes the log of a data directory as a C2SP directory. A directory with an earlier export of the same log is brought up to date. */
export async function logExport(options: ExportOptions, terminal: Terminal): Promise<ExitCode> {
  return withLog(options.data, terminal, (log) => {
    const out = path.resolve(terminal.cwd, options.out);
    const problem = mayWriteInto(out, log.key);
    if (problem !== undefined) return refuse(problem, terminal);
    let files = 0;
    for (const file of log.paths()) files += writeNew(path.join(out, file), log.read(file));
    writeWhole(path.join(out, 'AUDIT.md'), Buffer.from(auditGuide(log.key)));
    writeWhole(path.join(out, CHECKPOINT_PATH), log.read(CHECKPOINT_PATH) ?? Buffer.alloc(0));
    terminal.out(options.json === true ? JSON.stringify({ size: log.size, log: log.key.name, files, out }) : `${log.size} events of ${log.key.name} are in ${out} (${files} new files). AUDIT.md there says how to verify them.`);
    return EXIT.ok;
  });
}

export interface VerifyOptions {
  readonly data?: string;
  readonly checkpoint?: readonly string[];
  readonly key?: string;
  readonly json?: boolean;
}

/** Verifies an exported directory, or without one the log of a data directory. */
export async function logVerify(directory: string | undefined, options: VerifyOptions, terminal: Terminal): Promise<ExitCode> {
  const given = options.key === undefined ? undefined : readKey(path.resolve(terminal.cwd, options.key));
  if (typeof given === 'string') return refuse(given, terminal);
  if (directory === undefined) return withLog(options.data, terminal, (log) => verify(log.read, given ?? log.key, options, terminal));
  const root = path.resolve(terminal.cwd, directory);
  const read: FileReader = (file) => (existsSync(path.join(root, file)) ? readFileSync(path.join(root, file)) : undefined);
  const key = given ?? readKey(path.join(root, KEY_PATH));
  if (typeof key === 'string') return refuse(key, terminal);
  if (given === undefined && options.json !== true) terminal.err(`The key is the directory's own, ${printable(key.name)}+${key.id}. Compare it with one from elsewhere, or give that with --key.`);
  return verify(read, key, options, terminal);
}

function verify(read: FileReader, key: VerifierKey, options: VerifyOptions, terminal: Terminal): ExitCode {
  const older = (options.checkpoint ?? []).map((file) => readOlder(path.resolve(terminal.cwd, file), key));
  const unreadable = older.find((one) => typeof one === 'string');
  if (unreadable !== undefined) return refuse(unreadable, terminal);
  const payloads = payloadCheck(read);
  const verified = verifyDirectory(read, key, { older: older.filter((one) => typeof one !== 'string'), onEntry: payloads.entry });
  const problems = [...(verified.ok ? [] : verified.problems), ...payloads.problems];
  const ok = problems.length === 0;
  if (options.json === true) {
    terminal.out(JSON.stringify({ ok, log: key.name, size: verified.ok ? verified.size : null, root: verified.ok ? encodeHash(verified.root) : null, erased: payloads.erased(), problems: problems.slice(0, MAX_SHOWN) }));
  } else if (verified.ok && ok) {
    terminal.out(`${verified.size} events of ${key.name} are as they were signed; root ${encodeHash(verified.root)}.${payloads.erased() === 0 ? '' : ` ${payloads.erased()} reasons or names were erased, as the law may ask.`}`);
    terminal.out(older.length > 0 ? 'They continue the checkpoints that you kept.' : 'Whether any were cut off at the end only an earlier checkpoint shows: keep one elsewhere and give it with --checkpoint.');
  } else {
    for (const { where, what } of problems.slice(0, MAX_SHOWN)) terminal.out(printable(`${where}: ${what}`));
    terminal.out(`The log is NOT as it was signed: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}.`);
  }
  return ok ? EXIT.ok : EXIT.no;
}

interface Found {
  readonly code: string;
  readonly where: string;
  readonly what: string;
}

/** Checks every payload that an entry binds; what may be erased may be missing, and is counted. */
function payloadCheck(read: FileReader): { readonly entry: (index: number, entry: Uint8Array) => void; readonly problems: readonly Found[]; readonly erased: () => number } {
  const problems: Found[] = [];
  const seen = new Set<string>();
  let erased = 0;
  const check = (sha256: string, erasable: boolean, index: number): Uint8Array | undefined => {
    const bytes = read(payloadPath(sha256));
    if (seen.has(sha256)) return bytes;
    seen.add(sha256);
    if (bytes === undefined && erasable) erased += 1;
    else if (bytes === undefined) problems.push({ code: 'PAYLOAD_MISSING', where: payloadPath(sha256), what: `event ${index} names it, and it is not there; bring it back from another copy` });
    else if (sha256Of(bytes) !== sha256) problems.push({ code: 'PAYLOAD_WRONG', where: payloadPath(sha256), what: `it is not what event ${index} recorded; compare it with another copy` });
    return bytes;
  };
  return {
    problems,
    erased: () => erased,
    entry: (index, entry) => {
      try {
        const own = namedByEntry(entry);
        for (const sha256 of own.erasable) check(sha256, true, index);
        for (const sha256 of own.kept) {
          const body = check(sha256, false, index);
          if (body === undefined) continue;
          const inner = namedByBody(body);
          for (const named of inner.kept) check(named, false, index);
          for (const named of inner.erasable) check(named, true, index);
        }
      } catch {
        problems.push({ code: 'ENTRY_MALFORMED', where: `event ${index}`, what: 'it cannot be read as an event; compare the log with another copy' });
      }
    },
  };
}

async function withLog(data: string | undefined, terminal: Terminal, act: (log: PublishedLog) => ExitCode): Promise<ExitCode> {
  const dataDir = data === undefined ? (readDiscovery(portcullisHome(terminal.env))?.dataDir ?? 'data') : data;
  const file = path.resolve(terminal.cwd, dataDir, 'log.db');
  if (!existsSync(file)) return refuse(`There is no log at ${file}. Name the plane's data directory with --data.`, terminal);
  let store: LogStore | undefined;
  try {
    const { openSqliteStore } = await import('../log/sqlite-store.ts');
    store = openSqliteStore(file);
    const published = publishLog(store);
    return published.ok ? act(published.log) : refuse(published.problem, terminal);
  } catch (error) {
    return refuse(`${file}: ${error instanceof Error ? error.message : String(error)}`, terminal);
  } finally {
    store?.close();
  }
}

function readKey(file: string): VerifierKey | string {
  if (!existsSync(file)) return `There is no key at ${file}. Give the plane's verifier key with --key.`;
  const parsed = parseVerifierKey(readFileSync(file, 'utf8').trim());
  return parsed.ok ? parsed.key : `${file}: ${parsed.problems.map(({ what }) => what).join('; ')}`;
}

function readOlder(file: string, key: VerifierKey): Checkpoint | string {
  if (!existsSync(file)) return `There is no checkpoint at ${file}.`;
  const opened = openCheckpoint(readFileSync(file), key);
  return opened.ok ? opened.checkpoint : `${file}: ${opened.problems.map(({ what }) => what).join('; ')}`;
}

/** An empty or new directory, or an earlier export of the same log. */
function mayWriteInto(out: string, key: VerifierKey): string | undefined {
  if (!existsSync(out) || readdirSync(out).length === 0) return undefined;
  const there = readKey(path.join(out, KEY_PATH));
  if (typeof there !== 'string' && there.name === key.name && there.id === key.id) return undefined;
  return `${out} holds something else than an export of ${key.name}. Choose an empty directory.`;
}

/** 1 where the file was new. What is there already is never touched: published files do not change. */
function writeNew(file: string, bytes: Uint8Array | undefined): number {
  if (bytes === undefined || existsSync(file)) return 0;
  writeWhole(file, bytes);
  return 1;
}

function writeWhole(file: string, bytes: Uint8Array): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, bytes);
  renameSync(`${file}.tmp`, file);
}

function refuse(problem: string, terminal: Terminal): ExitCode {
  terminal.err(printable(problem));
  return EXIT.no;
}
