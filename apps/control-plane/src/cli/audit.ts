/** `portcullis log export` and `log verify`: the log as files that anybody can check, and the check. Neither needs a plane. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { encodeHash, encodeVerifierKey, openCheckpoint, parseVerifierKey, verifyDirectory } from '@portcullis/tlog';
import type { Checkpoint, FileReader, VerifierKey } from '@portcullis/tlog';
import { portcullisHome, readDiscovery } from '../discovery.ts';
import { readFolds } from '../fold-shelf.ts';
import type { PublishedLog } from '../log/export.ts';
import { logKeys } from '../log/log-keys.ts';
import type { LogKeys } from '../log/log-keys.ts';
import type { Finding } from '../recheck.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { mayWriteInto, readIfThere, writeDirectory } from './export-directory.ts';
import { guideProblems, trustIn } from './key-trust.ts';
import type { KeyTrust } from './key-trust.ts';
import { claimedKey, payloadCheck } from './payload-check.ts';
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
  return withLog(options.data, terminal, ({ size, read, files }) => {
    const out = path.resolve(terminal.cwd, options.out);
    const problem = mayWriteInto(out, claimedKey(read));
    if (problem !== undefined) return refuse(problem, terminal);
    const written = writeDirectory(out, files());
    const log = logKeys(read)?.keys.at(-1)?.name ?? null;
    terminal.out(options.json === true ? JSON.stringify({ size, log, files: written, out }) : `${size} events of ${log ?? 'the log'} are in ${out} (${written} new files). AUDIT.md there says how to verify them.`);
    return EXIT.ok;
  });
}

export interface VerifyOptions {
  readonly data?: string;
  readonly checkpoint?: readonly string[];
  readonly key?: readonly string[];
  readonly acceptUnsignedRestoration?: boolean;
  readonly json?: boolean;
}

/** Verifies an exported directory, or without one the log of a data directory. */
export async function logVerify(directory: string | undefined, options: VerifyOptions, terminal: Terminal): Promise<ExitCode> {
  const keys = (options.key ?? []).map((file) => readKey(path.resolve(terminal.cwd, file)));
  const unreadable = keys.find((one) => typeof one === 'string');
  if (unreadable !== undefined) return refuse(unreadable, terminal);
  const given = keys.filter((one) => typeof one !== 'string');
  if (directory === undefined) return withLog(options.data, terminal, (log, dataDir) => verifyWith(log.read, given, options, terminal, { refold: (key) => log.refold(readFolds(dataDir, key)), beyondHead: log.beyondHead }));
  const root = path.resolve(terminal.cwd, directory);
  return verifyWith((file) => readIfThere(`${root}/${file}`), given, options, terminal);
}

/** Without a key from elsewhere the log is held against the keys that it claims itself, and the reader is told so. */
function verifyWith(read: FileReader, given: readonly VerifierKey[], options: VerifyOptions, terminal: Terminal, beside?: Beside): ExitCode {
  const claimed = logKeys(read);
  if (claimed === undefined) return refuse('This is no log, or its first event cannot be read. Give the directory that `portcullis log export` wrote.', terminal);
  if (given.length === 0 && options.json !== true) terminal.err(`The key is the one that the log claims, ${printable(encodeVerifierKey(claimed.keys[0]))}. Compare it with a copy from elsewhere, or give that with --key.`);
  const trust = trustIn(read, claimed, { given, acceptUnsigned: options.acceptUnsignedRestoration === true });
  return verify(read, { ...trust, problems: [...trust.problems, ...guideProblems(read, claimed)] }, options, terminal, beside);
}

/** What a data directory holds besides its log, which an exported one does not. */
interface Beside {
  /** States that were folded from it before: they are to be those that its events give. */
  readonly refold: (key: VerifierKey) => readonly Finding[];
  readonly beyondHead: PublishedLog['beyondHead'];
}

function verify(read: FileReader, { claimed, ...trust }: KeyTrust, options: VerifyOptions, terminal: Terminal, beside?: Beside): ExitCode {
  const key = claimed.keys.at(-1) ?? claimed.keys[0];
  const kept = (options.checkpoint ?? []).map((file) => readOlder(path.resolve(terminal.cwd, file), claimed));
  const unreadable = kept.find((one) => typeof one === 'string');
  if (unreadable !== undefined) return refuse(unreadable, terminal);
  const older = kept.filter((one) => typeof one !== 'string');
  const payloads = payloadCheck(read);
  const verified = verifyDirectory(read, key, { older: [...older.filter((one) => 'root' in one), ...trust.heads], onEntry: payloads.entry });
  // Of a log that is damaged, the event that says what was erased may not have been reached.
  const unexplained = verified.ok ? payloads.unexplained() : [];
  // Events that are not those that were recorded give any state.
  const folds = verified.ok && payloads.problems.length === 0 ? (beside?.refold(key) ?? []).map(foldProblem) : [];
  const beyond = (beside?.beyondHead() ?? []).map(beyondProblem);
  const problems = [...(verified.ok ? [] : verified.problems), ...older.filter((one) => 'code' in one), ...trust.problems, ...payloads.problems, ...unexplained, ...beyond, ...folds];
  const ok = problems.length === 0;
  if (options.json === true) {
    const { keys, restorations } = claimed;
    terminal.out(JSON.stringify({
      ok, log: key.name, size: verified.ok ? verified.size : null, root: verified.ok ? encodeHash(verified.root) : null, erased: payloads.erased(), keys: keys.map(encodeVerifierKey),
      restorations: restorations.map(({ key: _place, ...one }) => one),
      problems: problems.slice(0, MAX_SHOWN),
    }));
  } else if (verified.ok && ok) {
    terminal.out(`${verified.size} events of ${key.name} are as they were signed; root ${encodeHash(verified.root)}.${payloads.erased() === 0 ? '' : ` ${payloads.erased()} reasons or names were erased, as the law may ask.`}`);
    for (const line of historyLines(claimed)) terminal.out(printable(line));
    terminal.out(older.length > 0 ? 'They continue the checkpoints that you kept.' : 'Whether any were cut off at the end only an earlier checkpoint shows: keep one elsewhere and give it with --checkpoint.');
  } else {
    for (const { where, what } of problems.slice(0, MAX_SHOWN)) terminal.out(printable(`${where}: ${what}`));
    terminal.out(`The log is NOT as it was signed: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}.`);
  }
  return ok ? EXIT.ok : EXIT.no;
}

function foldProblem({ of, problem }: Finding): FoldProblem {
  const what = of === 'log' ? `${problem}; compare the log with another copy` : `${problem}. Kept folds are a cache: delete the folder and restart the plane`;
  return { code: 'FOLD_WRONG', where: 'folds', what };
}

/** The plane neither starts on such a log nor records into it. */
function beyondProblem(what: string): { readonly code: 'BEYOND_HEAD'; readonly where: string; readonly what: string } {
  return { code: 'BEYOND_HEAD', where: 'log.db', what: `it holds ${what}: somebody else than the plane wrote them; bring the file back from a copy` };
}

interface FoldProblem {
  readonly code: 'FOLD_WRONG';
  readonly where: string;
  readonly what: string;
}

function historyLines({ keys, restorations }: LogKeys): readonly string[] {
  const rotations = keys.length - 1 - restorations.length;
  return [
    ...(rotations === 0 ? [] : [`Its signing key was replaced ${rotations === 1 ? 'once' : `${rotations} times`}, signed by the old and the new one.`]),
    ...restorations.map(({ previousLog, previousSize, seq, signed }) => `Event ${seq}: its plane came back from a backup with the ${previousSize} events of ${previousLog}${signed ? '' : ', and the recovery key was lost, so that nobody signed this'}; what came after them there is not here.`),
  ];
}

/** The log of a data directory, as it would be exported; each file is made when it is read. */
async function withLog(data: string | undefined, terminal: Terminal, act: (log: PublishedLog, dataDir: string) => ExitCode): Promise<ExitCode> {
  const dataDir = data === undefined ? (readDiscovery(portcullisHome(terminal.env))?.dataDir ?? 'data') : data;
  const directory = path.resolve(terminal.cwd, dataDir);
  const file = path.join(directory, 'log.db');
  if (!existsSync(file)) return refuse(`There is no log at ${file}. Name the plane's data directory with --data.`, terminal);
  const { openPublished } = await import('../log/export.ts');
  let published: PublishedLog | undefined;
  try {
    published = openPublished(file);
    return act(published, directory);
  } catch (error) {
    return refuse(`${file}: ${error instanceof Error ? error.message : String(error)}`, terminal);
  } finally {
    published?.close();
  }
}

function readKey(file: string): VerifierKey | string {
  if (!existsSync(file)) return `There is no key at ${file}. Give the plane's verifier key with --key.`;
  const parsed = parseVerifierKey(readFileSync(file, 'utf8').trim());
  return parsed.ok ? parsed.key : `${file}: ${parsed.problems.map(({ what }) => what).join('; ')}`;
}

interface Lost {
  readonly code: 'ROLLED_BACK';
  readonly where: string;
  readonly what: string;
}

/** A checkpoint that was kept, as one of the log's present name; or what it shows to be lost. */
function readOlder(file: string, { keys, restorations }: LogKeys): Checkpoint | Lost | string {
  if (!existsSync(file)) return `There is no checkpoint at ${file}.`;
  const opened = openCheckpoint(readFileSync(file), keys);
  if (!opened.ok) return `${file}: ${opened.problems.map(({ what }) => what).join('; ')}`;
  const { checkpoint } = opened;
  const name = keys.at(-1)?.name ?? checkpoint.origin;
  const from = restorations.findIndex(({ previousLog }) => previousLog === checkpoint.origin);
  const kept = from === -1 ? undefined : Math.min(...restorations.slice(from).map(({ previousSize }) => previousSize));
  if (kept === undefined) return checkpoint;
  if (checkpoint.size <= kept) return { ...checkpoint, origin: name };
  return { code: 'ROLLED_BACK', where: file, what: `the log ${checkpoint.origin} had ${checkpoint.size} events, and ${kept} of them were in the backup from which this one goes on; find out what was in the others` };
}

function refuse(problem: string, terminal: Terminal): ExitCode {
  terminal.err(printable(problem));
  return EXIT.no;
}
