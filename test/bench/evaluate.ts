/**
 * Decisions a second on one core, beside hand-written JavaScript that returns equal Decision objects (the floor) and beside
 * cedar-wasm's stateful call, in one process and in turns. Time is the processor time of the process (all of its threads, so that the
 * collector counts), because other work on the machine is not what is asked about.
 *
 *   npm run bench:evaluate [-- --rounds 15 --slice 100 --json]
 *
 * Measures the built packages/policy-core (the script builds it first), because that is what a proxy runs. Every subject's
 * answer to every call of the workload is compared with ours before anything is timed.
 */
import { deepStrictEqual } from 'node:assert/strict';
import { compilePolicies, decide, memoryCounters, type Call, type CallContext, type Decision } from '@portcullis/policy-core';
import { cedarEngine, ruleId, type CedarEngine } from './evaluate-cedar.ts';
import { handWritten } from './evaluate-floor.ts';
import { makeWorkload, SERVER, type Workload } from './evaluate-workload.ts';
import { JSON_ONLY, option, printTable, summarise } from './table.ts';

const ROUNDS = option('rounds', 15);
/** Milliseconds that each subject has in each round. */
const SLICE_MS = option('slice', 100);
/** The clock is read once in so many decisions; Cedar, a thousand times slower, is read more often. */
const BATCH = { fast: 4_096, slow: 4 } as const;
/** Cedar is compared on so many calls of a workload: its answer takes milliseconds where there are many rules. */
const CEDAR_COMPARED = 64;

const SHAPES = [
  { name: 'small: 1 policy, 5 tools', policies: 1, toolsEach: 5, allTools: 5 },
  { name: '20 tools', policies: 1, toolsEach: 20, allTools: 20 },
  { name: 'typical: 200 tools', policies: 1, toolsEach: 200, allTools: 200 },
  { name: '2,000 tools', policies: 1, toolsEach: 2_000, allTools: 2_000 },
  { name: 'huge: 1,000 policies', policies: 1_000, toolsEach: 4, allTools: 200 },
] as const;

interface Measured {
  readonly workload: string;
  /** Decisions a second: the median of the rounds. */
  readonly ours: number;
  readonly oursBest: number;
  readonly floor: number;
  readonly cedar: number | null;
  /** Medians of the ratios of each round. */
  readonly timesFloor: number;
  readonly timesCedar: number | null;
}

/** The last answer of whatever is measured, so that the engine cannot find the work to be useless. */
let sink: unknown;

const report: Measured[] = [];
for (const [index, shape] of SHAPES.entries()) {
  for (const regex of [false, true]) {
    const workload = makeWorkload({ ...shape, name: `${shape.name}${regex ? ', regex' : ''}`, regex, seed: 7 + index });
    report.push(measure(workload));
    if (!JSON_ONLY) console.error(`measured ${workload.name}`);
  }
}
if (JSON_ONLY) console.log(JSON.stringify({ rounds: ROUNDS, sliceMs: SLICE_MS, workloads: report }));
else print();

function measure(workload: Workload): Measured {
  const ours = ourDecide(workload);
  const floor = handWritten(workload);
  const cedar = cedarEngine(workload);
  for (const call of workload.calls) deepStrictEqual(floor(call), ours(call));
  if (cedar !== null) compareWithCedar(workload, ours, cedar);

  const rates = { ours: [] as number[], floor: [] as number[], cedar: [] as number[] };
  // The first round warms the engine up and is forgotten.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const rate = { ours: rateOf(ours, workload.calls, BATCH.fast), floor: rateOf(floor, workload.calls, BATCH.fast), cedar: cedar === null ? 0 : rateOf((call) => cedar.ask(call), workload.calls, BATCH.slow) };
    if (round === 0) continue;
    rates.ours.push(rate.ours);
    rates.floor.push(rate.floor);
    rates.cedar.push(rate.cedar);
  }
  const ratio = (above: readonly number[], below: readonly number[]): number => summarise(above.map((value, round) => value / (below[round] ?? Number.NaN))).p50;
  return {
    workload: workload.name,
    ours: summarise(rates.ours).p50,
    oursBest: summarise(rates.ours).max,
    floor: summarise(rates.floor).p50,
    cedar: cedar === null ? null : summarise(rates.cedar).p50,
    timesFloor: ratio(rates.floor, rates.ours),
    timesCedar: cedar === null ? null : ratio(rates.ours, rates.cedar),
  };
}

/** What a proxy does for a call that counts nothing: `decide`, with the context that it keeps. */
function ourDecide(workload: Workload): (call: Call) => Decision {
  const enforcement = compilePolicies(workload.policies, { server: SERVER, labels: {} }, null);
  const context: CallContext = { server: SERVER, labels: {}, upstream: null, clientName: 'bench', nowMs: Date.UTC(2026, 0, 5, 12), staleMs: 0 };
  const counters = memoryCounters();
  return (call) => decide({ enforcement, restrictions: [], call, context, counters }).decision;
}

/** The same answer, for the same rules. */
function compareWithCedar(workload: Workload, ours: (call: Call) => Decision, cedar: CedarEngine): void {
  const denied = workload.calls.filter((call) => ours(call).decision === 'deny').slice(0, CEDAR_COMPARED / 2);
  for (const call of [...denied, ...workload.calls.slice(0, CEDAR_COMPARED / 2)]) {
    const { decision, matched } = ours(call);
    const rules = decision === 'allow' ? [] : matched.map(({ source, entry, rule }) => ruleId(source, entry ?? '', rule ?? ''));
    const answer = cedar.read(cedar.ask(call));
    deepStrictEqual({ decision: answer.decision, rules: [...answer.rules].sort() }, { decision, rules: rules.sort() });
  }
}

/** Decisions a second of processor time, over one slice of it. */
function rateOf(decideOne: (call: Call) => unknown, calls: readonly Call[], batch: number): number {
  let made = 0;
  const began = cpuMs();
  let elapsed: number;
  do {
    for (let n = 0; n < batch; n += 1) {
      const call = calls[(made + n) % calls.length];
      if (call !== undefined) sink = decideOne(call);
    }
    made += batch;
    elapsed = cpuMs() - began;
  } while (elapsed < SLICE_MS);
  return (made / elapsed) * 1_000;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function print(): void {
  console.log(`Decisions a second, one core, Node ${process.version}; every tool has 3 rules of 2 conditions, about one call in eight is denied\nmedian of ${ROUNDS} rounds of ${SLICE_MS} ms each; ratios are medians of each round's ratio\n`);
  const whole = (value: number): string => Math.round(value).toLocaleString('en-GB');
  printTable(
    ['policies', 'ours', 'best', 'floor', 'cedar-wasm', 'floor / ours', 'ours / cedar'],
    report.map((row) => [row.workload, whole(row.ours), whole(row.oursBest), whole(row.floor), row.cedar === null ? '-' : whole(row.cedar), row.timesFloor.toFixed(1), row.timesCedar === null ? '-' : whole(row.timesCedar)]),
  );
  console.log(`\n(last answer: ${typeof sink})`);
}
