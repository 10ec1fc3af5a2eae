/**
 * What it costs to take in a large policy directory, and one changed file in it: parse, run the tests that policies carry, check
 * the set, compile for one proxy.
 *
 *   npm run bench:check [-- --policies 1000 --rules 50 --changes 30 --json]
 *
 * Measures the built packages/policy-core (the script builds it first). All policies select the one proxy that they are compiled
 * for, which is the worst case; compiling is measured with a first call to every tool, because rules are compiled when first asked.
 */
import { checkPolicySet, compilePolicies, decide, memoryCounters, parsePolicy, runPolicyTests, type CallContext, type Enforcement, type ParsedPolicy, type Policy } from '@portcullis/policy-core';
import { JSON_ONLY, option, printTable, round, summarise, type Summary } from './table.ts';

const POLICIES = option('policies', 1_000);
const RULES = option('rules', 50);
const CHANGES = option('changes', 30);
const RULES_PER_TOOL = 5;
const SERVER = 'shop';

interface Source {
  readonly id: string;
  readonly bytes: Uint8Array;
}

type Parsed = Extract<ParsedPolicy, { ok: true }>;

interface Whole {
  readonly parseMs: number;
  readonly testsMs: number;
  readonly setMs: number;
  readonly compileMs: number;
  /** The first call to each tool of every policy, which compiles their rules. */
  readonly firstCallsMs: number;
}

/** One changed file among unchanged ones. */
interface Change {
  readonly parse: Summary;
  readonly tests: Summary;
  readonly set: Summary;
  readonly compile: Summary;
  readonly firstCall: Summary;
}

const sources = Array.from({ length: POLICIES }, (_, index): Source => ({ id: `team-${String(index).padStart(4, '0')}.yaml`, bytes: policyBytes(index, 0) }));
const bytes = sources.reduce((sum, source) => sum + source.bytes.length, 0);
const { policies, whole } = takeInAll();
const change = takeInChanges(policies);
if (JSON_ONLY) console.log(JSON.stringify({ policies: POLICIES, rules: RULES, bytes, whole, change }));
else print();

function takeInAll(): { readonly policies: readonly Policy[]; readonly whole: Whole } {
  const [parsed, parseMs] = timed(() => sources.map(parse));
  const [, testsMs] = timed(() => parsed.forEach(runTests));
  const taken = parsed.map(({ policy }) => policy);
  const [, setMs] = timed(() => refuseProblems(checkPolicySet(taken)));
  const [enforcement, compileMs] = timed(() => compilePolicies(taken, { server: SERVER, labels: {} }, null));
  const [, firstCallsMs] = timed(() => callTools(enforcement, taken));
  return { policies: taken, whole: { parseMs, testsMs, setMs, compileMs, firstCallsMs } };
}

function takeInChanges(unchanged: readonly Policy[]): Change {
  const took = { parse: [] as number[], tests: [] as number[], set: [] as number[], compile: [] as number[], firstCall: [] as number[] };
  let current = unchanged;
  for (let n = 0; n < CHANGES; n += 1) {
    const index = (n * 37) % POLICIES;
    const source = { id: sources[index]?.id ?? '', bytes: policyBytes(index, n + 1) };
    const [parsed, parseMs] = timed(() => parse(source));
    const [, testsMs] = timed(() => runTests(parsed));
    const next = current.map((policy, at) => (at === index ? parsed.policy : policy));
    const [, setMs] = timed(() => refuseProblems(checkPolicySet(next)));
    const [enforcement, compileMs] = timed(() => compilePolicies(next, { server: SERVER, labels: {} }, null));
    const [, firstCallMs] = timed(() => callTools(enforcement, [parsed.policy]));
    took.parse.push(parseMs);
    took.tests.push(testsMs);
    took.set.push(setMs);
    took.compile.push(compileMs);
    took.firstCall.push(firstCallMs);
    current = next;
  }
  return { parse: summarise(took.parse), tests: summarise(took.tests), set: summarise(took.set), compile: summarise(took.compile), firstCall: summarise(took.firstCall) };
}

function parse(source: Source): Parsed {
  const parsed = parsePolicy(source);
  if (!parsed.ok) throw new Error(`${source.id} does not parse: ${parsed.problems[0]?.message ?? ''}`);
  return parsed;
}

function runTests({ policy, tests }: Parsed): void {
  const { failures } = runPolicyTests(policy, tests);
  if (failures[0] !== undefined) throw new Error(failures[0].message);
}

function refuseProblems(problems: readonly { readonly message: string }[]): void {
  if (problems[0] !== undefined) throw new Error(problems[0].message);
}

function callTools(enforcement: Enforcement, called: readonly Policy[]): void {
  const context: CallContext = { server: SERVER, labels: {}, upstream: null, clientName: null, nowMs: Date.UTC(2026, 0, 5, 12), staleMs: 0 };
  const counters = memoryCounters();
  for (const { tools } of called) {
    for (const { pattern } of tools) decide({ enforcement, restrictions: [], call: { kind: 'tool', name: pattern, arguments: {} }, context, counters });
  }
}

/** Milliseconds of processor time, so that a busy machine does not count. */
function timed<T>(work: () => T): readonly [T, number] {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  return [result, (user + system) / 1_000];
}

/** Rules of every kind, as people mix them, and two tests. `edition` makes one content differ from the next. */
function policyBytes(index: number, edition: number): Uint8Array {
  const tools = Array.from({ length: Math.ceil(RULES / RULES_PER_TOOL) }, (_, n) => toolText(`tool_${index}_${n}`, edition, Math.min(RULES_PER_TOOL, RULES - n * RULES_PER_TOOL)));
  const text = `version: "1"
description: What team ${index} may do, edition ${edition}
match: { server: ${SERVER} }
tools:
${tools.join('')}tests:
  - name: a good call
    call: { tool: tool_${index}_0, arguments: { owner: acme, branch: agent/1, amount: 10, path: /srv/team/a } }
    expect: allow
  - name: a foreign repository
    call: { tool: tool_${index}_0, arguments: { owner: evil, branch: agent/1, amount: 10, path: /srv/team/a } }
    expect: deny
    rule: our repositories
`;
  return new TextEncoder().encode(text);
}

function toolText(tool: string, edition: number, rules: number): string {
  const all = [
    `      - name: our repositories
        conditions: [{ path: args.owner, op: in, value: [acme, acme-labs] }]
        on_deny: Only our repositories, edition ${edition}.
`,
    `      - name: its own branches
        conditions:
          - { path: args.branch, op: regex, value: "^agent/[a-z0-9-]+$" }
          - { path: args.branch, op: max_length, value: 80 }
`,
    `      - name: twenty an hour
        rate_limit: 20/hour
`,
    `      - name: a daily budget
        spend_limit: { amount: args.amount, max: 500000, per: day }
`,
    `      - name: inside the team's folder
        when: [{ path: args.path, op: exists, value: true }]
        conditions: [{ path: args.path, op: path_within, value: /srv/team }]
`,
  ];
  return `  ${tool}:\n    rules:\n${all.slice(0, rules).join('')}`;
}

function print(): void {
  console.log(`${POLICIES} policies of ${RULES} rules, ${round(bytes / 1_048_576)} MiB, all for one proxy; Node ${process.version}, milliseconds of processor time\n`);
  printTable(
    ['step', 'all', 'one changed, p50', 'p99'],
    [
      ['parse', whole.parseMs, change.parse],
      ['run their tests', whole.testsMs, change.tests],
      ['check the set', whole.setMs, change.set],
      ['compile', whole.compileMs, change.compile],
      ['first call to each tool', whole.firstCallsMs, change.firstCall],
    ].map(([step, all, one]) => row(step as string, all as number, one as Summary)),
  );
}

function row(step: string, all: number, one: Summary): readonly string[] {
  return [step, all.toFixed(1), one.p50.toFixed(2), one.p99.toFixed(2)];
}
