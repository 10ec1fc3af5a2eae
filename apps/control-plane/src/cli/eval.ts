/**
 * `portcullis eval`: what one policy document decides about calls, one JSON object a line in, one decision a line out. The
 * same code decides as in the proxy; counters start empty and live as long as the command.
 */
import { createReadStream } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { compilePolicies, decide, defaultServer, isPlumbing, judgeDocument, memoryCounters } from '@portcullis/policy-core';
import type { Decision, Enforcement, Policy } from '@portcullis/policy-core';
import { linesOf } from './byte-lines.ts';
import { readCall } from './call-line.ts';
import type { AskedCall } from './call-line.ts';
import { readDocument, reasonOf } from './documents.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { printable } from './printable.ts';
import { problemLines } from './problem-lines.ts';
import type { Terminal } from './terminal.ts';

/** A test over a fleet names some dozens of identities; beyond this the oldest compiled forms are dropped. */
const MAX_COMPILED = 256;

/** Asks nothing and is answered by nothing: a last line feed, or space between calls. */
const BLANK = /^[ \t\r]*$/;

export interface EvalOptions {
  readonly policy: string;
  /** A file, or `-` for standard input. */
  readonly calls?: string;
}

/** Runs the command: 0 when every line was a call, 1 when the policy cannot be used, 2 when a line could not be read. */
export async function evaluateCalls(options: EvalOptions, terminal: Terminal): Promise<ExitCode> {
  const loaded = load(options.policy, terminal);
  if (loaded === undefined) return EXIT.no;
  const judge = judgeOf(loaded);
  let malformed = 0;
  let number = 0;
  try {
    for await (const line of linesOf(open(options.calls ?? '-', terminal))) {
      number += 1;
      if (line.ok && BLANK.test(line.text)) continue;
      const asked = line.ok ? readCall(line.text, terminal.now()) : line;
      if (asked.ok) terminal.out(JSON.stringify(shown(judge(asked.call))));
      else {
        terminal.out(JSON.stringify(unparsable(asked.message)));
        terminal.err(`line ${number}: ${asked.message}`);
        malformed += 1;
      }
    }
  } catch (error) {
    terminal.err(`${options.calls ?? '-'}: cannot be read: ${reasonOf(error)}`);
    return EXIT.usage;
  }
  return malformed === 0 ? EXIT.ok : EXIT.usage;
}

/** The one policy, known by its base name, as it would be at the top of a policy directory. */
function load(file: string, terminal: Terminal): Policy | undefined {
  const read = readDocument({ shown: file, absolute: path.resolve(terminal.cwd, file) });
  const judgement = read.ok ? judgeDocument({ id: path.basename(file), bytes: read.bytes }) : { policy: null, problems: [read.problem] };
  for (const line of judgement.problems.flatMap((problem) => problemLines({ ...problem, file }))) terminal.err(line);
  if (judgement.policy === null) terminal.err(`${printable(file)} has errors, so that it decides nothing. Mend it, then ask again.`);
  return judgement.policy ?? undefined;
}

function open(calls: string, terminal: Terminal): Readable {
  return calls === '-' ? terminal.input : createReadStream(path.resolve(terminal.cwd, calls));
}

const PLUMBING_PASSES: Decision = { decision: 'allow', reason: 'allowed', message: null, rule: null, matched: [], observed: [] };

function judgeOf(policy: Policy): (asked: AskedCall) => Decision {
  const counters = memoryCounters();
  const compiled = new Map<string, Enforcement>();
  const enforcementFor = (server: string, labels: Readonly<Record<string, string>>): Enforcement => {
    const key = JSON.stringify([server, Object.entries(labels).sort()]);
    const known = compiled.get(key);
    if (known !== undefined) return known;
    if (compiled.size >= MAX_COMPILED) compiled.clear();
    const enforcement = compilePolicies([policy], { server, labels }, null);
    compiled.set(key, enforcement);
    return enforcement;
  };
  const own = defaultServer(policy);
  return ({ call, server, labels, client, atMs, outcome }) => {
    // What the proxy passes before anything is judged (P8).
    if (call.kind === 'method' && (isPlumbing('client', 'request', call.method) || isPlumbing('client', 'notification', call.method))) return PLUMBING_PASSES;
    const enforcement = enforcementFor(server ?? own, labels);
    const context = { server: server ?? own, labels, upstream: null, clientName: client, nowMs: atMs, staleMs: 0 };
    const verdict = decide({ enforcement, restrictions: [], call, context, counters });
    if (verdict.decision.decision === 'allow') verdict.settle(outcome);
    return verdict.decision;
  };
}

/** The promised keys, in the promised order; `observed` only where something in observe mode would have denied. */
function shown({ decision, message, rule, reason, matched, observed }: Decision): object {
  return { decision, message, rule, reason, matched, ...(observed.length === 0 ? {} : { observed }) };
}

function unparsable(message: string): object {
  return { decision: 'deny', message, rule: null, reason: 'unparsable', matched: [] };
}
