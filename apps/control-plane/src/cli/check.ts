/**
 * `portcullis check`: everything that the plane would check before it publishes, without a plane. Every problem of every
 * document at once, the tests inside the documents, and what only the whole set shows.
 */
import { createHash } from 'node:crypto';
import { checkPolicySet, judgeDocument } from '@portcullis/policy-core';
import type { Judgement, Policy, Problem } from '@portcullis/policy-core';
import { findDocuments, readDocument, stampOf } from './documents.ts';
import type { Document, DocumentSet } from './documents.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { problemLines } from './problem-lines.ts';
import { counted } from './table.ts';
import type { Terminal } from './terminal.ts';

/** What `serve` takes for the policy directory when nobody says. */
const DEFAULT_DIRECTORY = 'policies';
/** How often `--watch` looks. A look is a stat for each file; an author waits for the second one that sees the same. */
const LOOK_EVERY_MS = 150;
/** Judgements that `--watch` remembers, several editions of every file of the largest directory; then it begins anew. */
const MAX_REMEMBERED = 20_000;

export interface CheckReport {
  /** No problem is an error. */
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  readonly tests: { readonly passed: number; readonly failed: number };
  readonly files: number;
}

export interface CheckOptions {
  readonly json?: boolean;
  readonly watch?: boolean;
}

/** Runs the command. Without arguments it checks `policies`. */
export async function check(named: readonly string[], options: CheckOptions, terminal: Terminal): Promise<ExitCode> {
  const targets = named.length === 0 ? [DEFAULT_DIRECTORY] : named;
  const known = new Map<string, Judgement>();
  const once = (): ExitCode => {
    if (known.size > MAX_REMEMBERED) known.clear();
    const report = checkDocuments(targets, terminal.cwd, known);
    print(report, options, terminal);
    return report.ok ? EXIT.ok : EXIT.no;
  };
  return options.watch === true ? keepChecking(targets, once, terminal) : once();
}

/** Checks every named document. `known` remembers judgements by path and content, so that only what changed is parsed again. */
export function checkDocuments(named: readonly string[], cwd: string, known: Map<string, Judgement> = new Map()): CheckReport {
  const reports = findDocuments(named, cwd).map((set) => checkSet(set, known));
  const problems = reports.flatMap((report) => report.problems);
  return {
    ok: problems.every((problem) => problem.severity !== 'error'),
    problems,
    tests: {
      passed: reports.reduce((sum, report) => sum + report.tests.passed, 0),
      failed: reports.reduce((sum, report) => sum + report.tests.failed, 0),
    },
    files: reports.reduce((sum, report) => sum + report.files, 0),
  };
}

function checkSet(set: DocumentSet, known: Map<string, Judgement>): Omit<CheckReport, 'ok'> {
  const problems: Problem[] = [...set.problems];
  const policies: Policy[] = [];
  const shown = new Map(set.documents.map((document) => [document.id, document.shown]));
  const tests = { passed: 0, failed: 0 };
  for (const document of set.documents) {
    const read = readDocument(document);
    if (!read.ok) {
      problems.push(read.problem);
      continue;
    }
    const judgement = judge(document, read.bytes, known);
    problems.push(...judgement.problems);
    if (judgement.policy !== null) policies.push(judgement.policy);
    tests.passed += judgement.tests.passed;
    tests.failed += judgement.tests.failed;
  }
  for (const problem of checkPolicySet(policies)) problems.push({ ...problem, file: shown.get(problem.file) ?? problem.file });
  return { problems, tests, files: set.documents.length };
}

function judge(document: Document, bytes: Uint8Array, known: Map<string, Judgement>): Judgement {
  const key = `${createHash('sha256').update(bytes).digest('hex')} ${document.id} ${document.shown}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const judged = judgeDocument({ id: document.id, bytes });
  const judgement = { ...judged, problems: judged.problems.map((problem) => ({ ...problem, file: document.shown })) };
  known.set(key, judgement);
  return judgement;
}

function print(report: CheckReport, options: CheckOptions, terminal: Terminal): void {
  if (options.json === true) {
    const { ok, problems, tests } = report;
    terminal.out(
      JSON.stringify({
        ok,
        problems: problems.map(({ file, line, column, code, severity, message }) => ({ file, line, column, code, severity, message })),
        tests,
      }),
    );
    return;
  }
  for (const line of report.problems.flatMap(problemLines)) terminal.out(line);
  if (report.files === 0 && report.problems.length === 0) terminal.err('No policy files (*.yaml, *.yml) were found. Name the file or directory that holds them.');
  terminal.out(summary(report));
}

function summary(report: CheckReport): string {
  const errors = report.problems.filter((problem) => problem.severity === 'error').length;
  const warnings = report.problems.length - errors;
  const tests = `${counted(report.tests.passed, 'test')} passed${report.tests.failed > 0 ? `, ${report.tests.failed} failed` : ''}`;
  return `${counted(report.files, 'file')}: ${counted(errors, 'error')}, ${counted(warnings, 'warning')}; ${tests}.`;
}

/**
 * Checks again whenever a look finds something else than before and the next look finds the same, until the person stops it; the last
 * answer is the exit code. It looks and listens to no file events, which some editors' saves and all network mounts fail to cause.
 */
async function keepChecking(targets: readonly string[], once: () => ExitCode, terminal: Terminal): Promise<ExitCode> {
  const look = (): string => findDocuments(targets, terminal.cwd).map((set) => [...set.problems.map(({ message }) => message), ...set.documents.map(stampOf)].join('\n')).join('\n\n');
  let checked = look();
  let before = checked;
  let last = once();
  const timer = setInterval(() => {
    const now = look();
    if (now !== checked && now === before) {
      checked = now;
      last = once();
    }
    before = now;
  }, LOOK_EVERY_MS);
  await new Promise<void>((resolve) => {
    if (terminal.signal.aborted) resolve();
    terminal.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  clearInterval(timer);
  return last;
}
