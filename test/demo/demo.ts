/**
 * The main job on real input: a plane and two proxies on two pretended hosts, each around the real filesystem server, with
 * real MCP clients as agents. Every step asserts what it shows. `--keep` leaves everything running.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrolHost, FILESYSTEM_SERVER, startAgent, type AgentInWorld } from '../world/host.ts';
import { startPlane, type PlaneProcess } from '../world/plane.ts';
import { PORTCULLIS, PORTCULLIS_PROXY, until } from '../world/process.ts';
import { filesPolicy, filesPolicyWithTypo, otherPolicy } from './policies.ts';
import { ms, openStage, type Stage } from './stage.ts';

const KEEP = process.argv.includes('--keep');
const SECRET_FOLDER = 'secrets';
/** More events than the demo makes. */
const WHOLE_LOG = 200;

interface Scene {
  readonly stage: Stage;
  readonly plane: PlaneProcess;
  readonly agents: readonly AgentInWorld[];
  readonly projects: readonly string[];
}

interface Version {
  readonly version: number;
}

const directory = mkdtempSync(join(tmpdir(), 'portcullis-demo-'));
const began = performance.now();
const stage = openStage();
console.log(`Portcullis demo, in ${directory}`);

let plane: PlaneProcess | undefined;
const agents: AgentInWorld[] = [];
try {
  plane = await startPlane(directory);
  const scene = await setUp(stage, plane);
  await callsAreJudged(scene);
  await anEditReachesBothHosts(scene);
  await aTypoIsRefused(scene);
  await manyFilesAreOneVersion(scene);
  await aRollbackHolds(scene);
  await lockdownDropsTheGate(scene);
  await thePlaneDies(scene);
  await theLogAnswers(scene);
  console.log(`\nAll of it held, in ${((performance.now() - began) / 1000).toFixed(1)} s. Next: npm start, and the five minutes in README.md.`);
  if (KEEP) keep(scene);
} catch (problem) {
  console.error(`\nThe demo failed: ${problem instanceof Error ? problem.message : String(problem)}`);
  console.error(`\nThe plane's output:\n${plane?.running().output() ?? 'none: it did not start'}`);
  process.exitCode = 1;
} finally {
  if (!KEEP) {
    await Promise.all(agents.map((agent) => agent.close()));
    await plane?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function setUp(stage: Stage, plane: PlaneProcess): Promise<Scene> {
  stage.step('A plane, two hosts, two agents: five programs, as in real life');
  plane.save('files.yaml', filesPolicy({ writable: true, secretFolder: SECRET_FOLDER }));
  await until('the first policy in force', async () => ((await plane.ask('status')) as { policies: readonly unknown[] }).policies.length === 1);
  const projects = ['host-a', 'host-b'].map((name) => project(join(directory, `${name}-project`)));
  for (const [index, name] of ['host-a', 'host-b'].entries()) {
    const host = await enrolHost(plane, name, { env: index === 0 ? 'prod' : 'staging' });
    agents.push(await startAgent(host, 'files', [process.execPath, FILESYSTEM_SERVER, projects[index] ?? '']));
  }
  await enforcedEverywhere(plane);
  stage.saw(`the plane listens on ${plane.url()} and both proxies enforce its policies`, true);
  return { stage, plane, agents, projects };
}

function project(path: string): string {
  mkdirSync(join(path, SECRET_FOLDER), { recursive: true });
  writeFileSync(join(path, 'notes.txt'), 'Nothing to hide.\n');
  writeFileSync(join(path, SECRET_FOLDER, 'key.txt'), 'hunter2\n');
  return path;
}

async function callsAreJudged({ stage, agents, projects }: Scene): Promise<void> {
  stage.step('Calls are judged on the host, before the MCP server sees them');
  for (const [index, agent] of agents.entries()) {
    const path = projects[index] ?? '';
    const allowed = await agent.call('read_text_file', { path: join(path, 'notes.txt') });
    stage.saw(`agent ${index + 1} reads notes.txt: ${JSON.stringify(allowed.text.trim())}`, !allowed.isError && allowed.text.includes('Nothing to hide'));
    const denied = await agent.call('read_text_file', { path: join(path, SECRET_FOLDER, 'key.txt') });
    stage.saw(`agent ${index + 1} may not read the key: ${JSON.stringify(denied.text)}`, denied.denied && denied.text.includes('Secrets are not for agents'));
  }
}

async function anEditReachesBothHosts({ stage, plane, agents }: Scene): Promise<void> {
  stage.step('Save a file: every host enforces it, and agents are told that their tools changed');
  const before = await Promise.all(agents.map((agent) => agent.tools()));
  stage.saw('write_file is among the tools', before.every((tools) => tools.includes('write_file')));
  const announced = agents.map((agent) => agent.announcements());
  const saved = performance.now();
  plane.save('files.yaml', filesPolicy({ writable: false, secretFolder: SECRET_FOLDER }));
  await until('both agents hear of it', () => agents.every((agent, index) => agent.announcements() > (announced[index] ?? 0)));
  stage.saw(`from the save to the announcement in both agents: ${ms(performance.now() - saved)}`, true);
  const after = await Promise.all(agents.map((agent) => agent.tools()));
  stage.saw('write_file is gone from the list', after.every((tools) => !tools.includes('write_file')));
}

async function aTypoIsRefused({ stage, plane, agents, projects }: Scene): Promise<void> {
  stage.step('A typo is refused with its place, and the last good policy stays in force');
  const version = await currentVersion(plane);
  plane.save('files.yaml', filesPolicyWithTypo(SECRET_FOLDER));
  const problem = await until('the refusal', async () => ((await plane.ask('status')) as { problems: readonly { file: string; line: number; column: number; code: string; message: string }[] }).problems[0]);
  stage.saw(`${problem.file}:${problem.line}:${problem.column} ${problem.code}: ${problem.message}`, problem.file === 'files.yaml' && problem.line > 1 && problem.code === 'UNKNOWN_KEY');
  stage.saw('no new version was published', (await currentVersion(plane)) === version);
  const denied = await agents[0]?.call('read_text_file', { path: join(projects[0] ?? '', SECRET_FOLDER, 'key.txt') });
  stage.saw('the old policy still denies', denied?.denied === true);
  plane.save('files.yaml', filesPolicy({ writable: false, secretFolder: SECRET_FOLDER }));
  await until('the problem to go', async () => ((await plane.ask('status')) as { problems: readonly unknown[] }).problems.length === 0);
}

async function manyFilesAreOneVersion({ stage, plane }: Scene): Promise<void> {
  stage.step('A git checkout that changes twenty files is one version');
  const git = (...args: readonly string[]): void => {
    execFileSync('git', ['-C', plane.policies, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args], { stdio: 'ignore' });
  };
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-qm', 'Policies');
  git('checkout', '-qb', 'limits');
  for (let n = 1; n <= 20; n += 1) writeFileSync(join(plane.policies, `team-${n}.yaml`), otherPolicy(`team-${n}`, 60));
  git('add', '.');
  git('commit', '-qm', 'Limits for twenty teams');
  await until('the twenty files', async () => (await policyCount(plane)) === 21);
  // Away and back, so that the checkout itself is what changes the directory.
  git('checkout', '-q', 'main');
  await until('the files to go', async () => (await policyCount(plane)) === 1 || (await confirmed(plane)));
  const before = await publications(plane);
  git('checkout', '-q', 'limits');
  await until('the checkout in force', async () => (await policyCount(plane)) === 21);
  const after = await publications(plane);
  stage.saw(`twenty files, ${after - before} version`, after - before === 1);
  await enforcedEverywhere(plane);
}

async function aRollbackHolds({ stage, plane, agents }: Scene): Promise<void> {
  stage.step('Rollback: old content, new version; what was withdrawn does not come back by itself');
  const good = await currentVersion(plane);
  plane.save('files.yaml', filesPolicy({ writable: true, secretFolder: 'nothing' }));
  await until('the bad edit in force', async () => (await currentVersion(plane)) > good);
  await enforcedEverywhere(plane);
  stage.saw('somebody opened writing and the secrets folder; agents see write_file', (await agents[0]?.tools())?.includes('write_file') === true);
  await plane.ask('rollback', String(good), '--reason', 'files.yaml opened the secrets', '--as', 'admin');
  await enforcedEverywhere(plane);
  const version = await currentVersion(plane);
  stage.saw(`version ${version} has the content of ${good}, to the byte`, (await filesAt(plane, version)) === (await filesAt(plane, good)));
  stage.saw('write_file is gone again', (await agents[0]?.tools())?.includes('write_file') === false);
  plane.save('team-1.yaml', otherPolicy('team-1', 30));
  await until('the unrelated save in force', async () => (await currentVersion(plane)) > version);
  await enforcedEverywhere(plane);
  stage.saw('an unrelated save was published, and did not bring the withdrawn content back', (await agents[0]?.tools())?.includes('write_file') === false);
  const held = (await plane.operate('hold', 'list')).stdout;
  stage.indent(held);
  // Long lines go on below, behind a mark.
  stage.saw('the hold says which file, and why', held.replaceAll(/\n +│ /g, ' ').includes('files.yaml opened the secrets'));
}

async function lockdownDropsTheGate({ stage, plane, agents, projects }: Scene): Promise<void> {
  stage.step('Lockdown: one command, everything denied, host by host');
  const locked = await plane.operate('lockdown', '--reason', 'suspected prompt injection');
  stage.indent(locked.stdout);
  stage.saw('the command ended well: every connected host has acknowledged', locked.code === 0);
  for (const [index, agent] of agents.entries()) {
    stage.saw(`agent ${index + 1} sees no tools`, (await agent.tools()).length === 0);
    const denied = await agent.call('read_text_file', { path: join(projects[index] ?? '', 'notes.txt') });
    stage.saw(`agent ${index + 1} is told: ${JSON.stringify(denied.text)}`, denied.denied && denied.text.includes('suspected prompt injection'));
  }
  const [restriction] = ((await plane.ask('status')) as { restrictions: readonly { id: string }[] }).restrictions;
  await plane.ask('lift', restriction?.id ?? '', '--reason', 'false alarm', '--yes', '--as', 'admin');
  await enforcedEverywhere(plane);
  stage.saw('lifted: the tools are back', (await agents[0]?.tools())?.includes('read_text_file') === true);
}

async function thePlaneDies({ stage, plane, agents, projects }: Scene): Promise<void> {
  stage.step('kill -9 of the plane: agents go on under the last good version');
  await plane.kill9();
  for (const [index, agent] of agents.entries()) {
    const allowed = await agent.call('read_text_file', { path: join(projects[index] ?? '', 'notes.txt') });
    const denied = await agent.call('read_text_file', { path: join(projects[index] ?? '', SECRET_FOLDER, 'key.txt') });
    stage.saw(`agent ${index + 1}: allowed calls are allowed, denied ones denied`, !allowed.isError && denied.denied);
  }
  const again = performance.now();
  await plane.startAgain();
  await enforcedEverywhere(plane);
  stage.saw(`the plane is back and both proxies have reconnected after ${ms(performance.now() - again)}`, true);
}

async function theLogAnswers({ stage, plane }: Scene): Promise<void> {
  stage.step('The log answers: who changed what, when and why');
  const log = await plane.operate('log', '--limit', String(WHOLE_LOG));
  stage.indent(log.stdout);
  const { events } = (await plane.ask('log', '--limit', String(WHOLE_LOG))) as { events: readonly { readonly reason: string | null; readonly event: { readonly type: string } }[] };
  const count = (type: string): number => events.filter(({ event }) => event.type === type).length;
  const expected = { HostEnrolled: 2, ChangeRefused: 1, RestrictionImposed: 1, RestrictionLifted: 1 };
  stage.saw(`all of it is there: ${['PolicySetPublished', ...Object.keys(expected)].map((type) => `${type} ${count(type)}`).join(', ')}`, Object.entries(expected).every(([type, least]) => count(type) >= least));
  stage.saw('with the reasons that people gave', ['files.yaml opened the secrets', 'suspected prompt injection', 'false alarm'].every((reason) => events.some((one) => one.reason === reason || JSON.stringify(one).includes(reason))));
  const verified = await plane.operate('log', 'verify', '--data', join(directory, 'data'));
  stage.saw(`the log verifies: ${verified.stdout.trim().split('\n')[0] ?? ''}`, verified.code === 0);
}

async function filesAt(plane: PlaneProcess, version: number): Promise<string> {
  const shown = await plane.operate('show', String(version), 'files.yaml');
  if (shown.code !== 0) throw new Error(shown.stderr);
  return shown.stdout;
}

async function enforcedEverywhere(plane: PlaneProcess): Promise<void> {
  const done = await plane.operate('status', '--wait', String(await currentVersion(plane)), '--timeout', '15');
  if (done.code !== 0) throw new Error(`not enforced everywhere:\n${done.stdout}${done.stderr}`);
}

async function currentVersion(plane: PlaneProcess): Promise<number> {
  return ((await plane.ask('status')) as Version).version;
}

async function policyCount(plane: PlaneProcess): Promise<number> {
  return ((await plane.ask('status')) as { policies: readonly unknown[] }).policies.length;
}

/** Removing most of the directory waits for a person; here the person says yes. */
async function confirmed(plane: PlaneProcess): Promise<boolean> {
  const [pending] = ((await plane.ask('status')) as { pendingRemovals: readonly { change: string }[] }).pendingRemovals;
  if (pending !== undefined) await plane.operate('confirm', pending.change, '--as', 'admin');
  return false;
}

async function publications(plane: PlaneProcess): Promise<number> {
  const { events } = (await plane.ask('log', '--type', 'PolicySetPublished', '--limit', '500')) as { events: readonly unknown[] };
  return events.length;
}

function keep({ plane, projects }: Scene): void {
  const agentHome = join(directory, 'host-a');
  console.log(`
Everything is still running. To try:

  export PORTCULLIS_HOME=${plane.home}
  node ${PORTCULLIS} status
  node ${PORTCULLIS} lockdown --reason "trying it"
  $EDITOR ${join(plane.policies, 'files.yaml')}
  node ${PORTCULLIS} tail

A third agent on host-a (any MCP client can run this line):

  PORTCULLIS_HOME=${agentHome} node ${PORTCULLIS_PROXY} --server files -- node ${FILESYSTEM_SERVER} ${projects[0] ?? ''}

Ctrl-C ends it all; ${directory} stays.`);
  process.once('SIGINT', () => {
    void Promise.all([plane.stop()]).then(() => process.exit(0));
  });
}

