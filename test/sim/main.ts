/** `npm run test:sim -- --seeds N --seed S`: runs N worlds from seed S on, prints what was covered, and the story of each that broke a law. */
import { parseArgs } from 'node:util';
import { run } from './run.ts';

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '500' }, seed: { type: 'string', default: '1' }, story: { type: 'boolean', default: false } } });
const first = Number(values.seed);
const seeds = Number(values.seeds);
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(seeds) || seeds < 1) throw new Error('--seed and --seeds are whole numbers');

const coverage = new Map<string, number>();
const slowest: number[] = [];
let steps = 0;
let versions = 0;
let broken = 0;
const began = performance.now();
for (let seed = first; seed < first + seeds; seed++) {
  const report = await run(seed);
  steps += report.steps;
  versions += report.versions;
  for (const [what, times] of report.coverage) coverage.set(what, (coverage.get(what) ?? 0) + times);
  if (report.headAfterMs !== null) slowest.push(report.headAfterMs);
  if (report.broken === null && !values.story) continue;
  if (report.broken !== null) broken += 1;
  process.stdout.write(`${report.broken ?? 'held'}\n${values.story || broken === 1 ? report.story.map((line) => `    ${line}\n`).join('') : ''}`);
}
slowest.sort((a, b) => a - b);
const seconds = (performance.now() - began) / 1000;
process.stdout.write(`${[...coverage].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, times]) => `  ${String(times).padStart(8)}  ${what}`).join('\n')}\n`);
process.stdout.write(`${seeds} seeds from ${first}: ${broken} broke a law. ${steps} steps, ${versions} versions, ${seconds.toFixed(1)} s (${((seconds / seeds) * 1000).toFixed(0)} ms each).\n`);
process.stdout.write(`Head after the last trouble, virtual ms: p50 ${slowest[Math.floor(slowest.length / 2)]?.toFixed(0) ?? '-'}, p99 ${slowest[Math.floor(slowest.length * 0.99)]?.toFixed(0) ?? '-'}, last ${slowest.at(-1)?.toFixed(0) ?? '-'}\n`);
process.exitCode = broken === 0 ? 0 : 1;
