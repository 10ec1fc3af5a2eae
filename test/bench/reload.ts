/**
 * From the end of a save to the acknowledged swap in a connected proxy process, beside the floor of the same run, while an agent
 * keeps calling through that proxy.
 *
 *   npm run bench:reload [-- --saves 200 --policies 10 --json]
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrolHost, FILESYSTEM_SERVER, startAgent, type AgentInWorld } from '../world/host.ts';
import { saveByRename, startPlane, type PlaneProcess } from '../world/plane.ts';
import { until } from '../world/process.ts';
import { measureFloor } from './reload-floor.ts';
import { JSON_ONLY, option, printTable, round, summarise, type Summary } from './table.ts';

const SAVES = option('saves', 200);
const POLICIES = option('policies', 10);

/** What the watcher waits for on purpose, by kind of save (docs/watching.md). */
const QUIET_MS = { rename: 20, 'in place': 40 } as const;
type Save = keyof typeof QUIET_MS;

interface Measured {
  readonly save: Save;
  readonly reload: Summary;
  readonly floor: Summary;
  readonly lessQuiet: number;
  readonly ratio: number;
  readonly lost: number;
}

interface Calls {
  readonly made: number;
  readonly failed: number;
  readonly outOfOrder: number;
  readonly latency: Summary;
}

const directory = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
const plane = await startPlane(directory);
try {
  const report = await measure(plane);
  if (JSON_ONLY) console.log(JSON.stringify(report));
  else print(report);
} finally {
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
}

interface Report {
  readonly saves: number;
  readonly policies: number;
  readonly kinds: readonly Measured[];
  readonly calls: Calls;
}

async function measure(plane: PlaneProcess): Promise<Report> {
  for (let n = 1; n < POLICIES; n += 1) saveByRename(join(plane.policies, `other-${n}.yaml`), policyText(0));
  plane.save('files.yaml', policyText(0));
  const project = join(directory, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'notes.txt'), 'x');
  const host = await enrolHost(plane, 'host', {});
  const agent = await startAgent(host, 'files', [process.execPath, FILESYSTEM_SERVER, project]);
  await until('the first swap', async () => (await acknowledged(plane)) !== undefined, 60_000);
  const stop = new AbortController();
  const calling = keepCalling(agent, stop.signal);
  const kinds: Measured[] = [];
  let edition = 0;
  for (const save of ['rename', 'in place'] as const) {
    const took: number[] = [];
    let lost = 0;
    for (let n = 0; n < SAVES; n += 1) {
      edition += 1;
      const one = await timeOneSave(plane, save, edition);
      if (one === undefined) lost += 1;
      else took.push(one);
    }
    const reload = summarise(took);
    const floor = summarise(await measureFloor(directory, SAVES, save));
    const lessQuiet = reload.p50 - QUIET_MS[save];
    kinds.push({ save, reload, floor, lessQuiet, ratio: lessQuiet / floor.p50, lost });
  }
  stop.abort();
  const calls = await calling;
  await agent.close();
  return { saves: SAVES, policies: POLICIES, kinds, calls };
}

/** Undefined where the save never took effect. */
async function timeOneSave(plane: PlaneProcess, save: Save, edition: number): Promise<number | undefined> {
  const before = await acknowledged(plane);
  const path = join(plane.policies, 'files.yaml');
  if (save === 'rename') saveByRename(path, policyText(edition));
  else writeFileSync(path, policyText(edition));
  const written = Date.now();
  try {
    const after = await until('the acknowledgement', async () => {
      const now = await acknowledged(plane);
      return now !== undefined && now.digest !== before?.digest ? now : undefined;
    }, 5_000, 10);
    return after.at - written;
  } catch {
    return undefined;
  }
}

async function acknowledged(plane: PlaneProcess): Promise<{ readonly digest: string; readonly at: number } | undefined> {
  const discovery = JSON.parse(readFileSync(join(plane.home, 'plane.json'), 'utf8')) as { readonly tokens: { readonly responder: string } };
  const token = readFileSync(discovery.tokens.responder, 'utf8').trim();
  const answer = await fetch(`${plane.url()}/v1/proxies`, { headers: { authorization: `Bearer ${token}` } });
  const { proxies } = (await answer.json()) as { readonly proxies: readonly { readonly policies: { readonly digest: string } | null; readonly since: number | null }[] };
  const [proxy] = proxies;
  if (proxy === undefined || proxy.policies === null || proxy.since === null) return undefined;
  return { digest: proxy.policies.digest, at: proxy.since };
}

/** Two entries speak about every call, with one edition between them: an answer of another edition than the last would show a mix or a step back. */
async function keepCalling(agent: AgentInWorld, signal: AbortSignal): Promise<Calls> {
  const latencies: number[] = [];
  let failed = 0;
  let outOfOrder = 0;
  let last = 0;
  while (!signal.aborted) {
    const began = performance.now();
    try {
      const { denied, text } = await agent.call('list_directory', { path: '/nowhere' });
      const edition = Number(/edition (\d+)/.exec(text)?.[1] ?? Number.NaN);
      if (!denied || Number.isNaN(edition)) failed += 1;
      else if (edition < last) outOfOrder += 1;
      else last = edition;
    } catch {
      failed += 1;
    }
    latencies.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { made: latencies.length, failed, outOfOrder, latency: summarise(latencies) };
}

function policyText(edition: number): string {
  return `version: "1"
tools:
  list_directory:
    rules:
      - name: closed ${edition}
        action: deny
        on_deny: edition ${edition}
  "*":
    rules:
      - name: a calm pace
        rate_limit: 1000000/minute
`;
}

function print(report: Report): void {
  console.log(`From the end of a save to the acknowledged swap, ${report.policies} policies, ${report.saves} saves of each kind (ms)\n`);
  printTable(
    ['save', 'min', 'p50', 'p99', 'floor p50', 'floor p99', 'quiet', 'p50 less quiet', 'times floor', 'lost'],
    report.kinds.map((kind) => [kind.save, ...[kind.reload.min, kind.reload.p50, kind.reload.p99, kind.floor.p50, kind.floor.p99, QUIET_MS[kind.save], kind.lessQuiet, kind.ratio].map((value) => String(round(value))), String(kind.lost)]),
  );
  const { calls } = report;
  console.log(`\nMeanwhile ${calls.made} calls through the proxy: ${calls.failed} failed, ${calls.outOfOrder} judged by an older version than the call before; p50 ${round(calls.latency.p50)} ms, p99 ${round(calls.latency.p99)} ms, longest ${round(calls.latency.max)} ms.`);
}
