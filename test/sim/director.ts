/** What happens in a world: what operators do, and what goes wrong. Every kind of trouble has a name, which coverage counts. */
import type { Policy } from '@portcullis/policy-core';
import type { Command } from '../../apps/control-plane/src/domain/command.ts';
import { policyOf } from '../fleet/world.ts';
import { documentOf } from './plane.ts';
import { TOOLS } from './proxy.ts';
import type { SimHost, SimProxy } from './proxy.ts';
import { settle } from './world.ts';
import type { World } from './world.ts';

/** Enrols the hosts by the real commands, publishes a first set, starts the plane and the proxies. */
export async function open(world: World): Promise<void> {
  const { plane, hosts, planeMachine } = world;
  for (const [index, host] of hosts.entries()) {
    const token = `t${index}`;
    const secretSha256 = String(index).repeat(64);
    const labels = { env: index === 0 ? 'prod' : 'dev', rack: String(index) };
    must(plane.execute({ kind: 'create-join-token', token, secretSha256, labels, expiresAtMs: planeMachine.wallMs() + 60_000 }));
    must(plane.execute({ kind: 'enrol', token, secretSha256, host: host.id, name: host.id, publicKey: host.publicKey }));
  }
  must(publish(world, new Map([['github.yaml', policyOf('github.yaml', ['a', 'b'])], ['files.yaml', policyOf('files.yaml', ['a', 'c'], { server: ['files'] })]])));
  plane.start();
  for (const proxy of world.proxies) world.boot(proxy);
  await settle();
}

function must(done: boolean): void {
  if (!done) throw new Error('the world could not be set up');
}

function publish(world: World, policies: ReadonlyMap<string, Policy>, then: 'tell' | 'crash' = 'tell'): boolean {
  return world.plane.execute({ kind: 'offer', documents: new Map([...policies].map(([id, policy]) => [id, documentOf(policy)])), git: null, removals: 'accept' }, then);
}

/** One thing that somebody decides. */
export function operate(world: World, then: 'tell' | 'crash' = 'tell'): void {
  const { random, plane, hosts } = world;
  const state = plane.state();
  const kind = random.pick(['publish', 'publish', 'publish', 'restrict', 'restrict', 'restrict', 'lift', 'lift', 'lift', 'rollback', 'relabel', 'relabel'] as const);
  const execute = (command: Command): void => {
    if (plane.execute(command, then)) world.saw(kind, `version ${plane.state().version}`);
  };
  switch (kind) {
    case 'publish':
      if (publish(world, nextPolicies(world), then)) world.saw(kind, `version ${plane.state().version}`);
      return;
    case 'restrict': {
      const selector = { server: random.chance(0.3) ? [random.pick(['github', 'files'])] : [], labels: random.chance(0.3) ? { env: [random.pick(['prod', 'dev'])] } : {} };
      return execute({ kind: 'restrict', selector, tools: random.chance(0.3) ? null : some(world), readOnly: random.chance(0.2), expiresAtMs: null });
    }
    case 'lift': {
      const active = [...state.restrictions.keys()];
      return active.length === 0 ? undefined : execute({ kind: 'lift', restriction: random.pick(active), expected: null });
    }
    case 'rollback':
      return execute({ kind: 'rollback', to: random.pick(world.history.versions).version, expected: null });
    case 'relabel': {
      const host = random.pick(hosts);
      return execute({ kind: 'relabel', host: host.id, labels: { env: random.pick(['prod', 'dev']), rack: random.pick(['0', '1', '2']) }, confirm: true });
    }
  }
}

function some({ random }: World): string[] {
  const tools = TOOLS.filter(() => random.chance(0.4));
  return tools.length === 0 ? ['a'] : tools;
}

/** One or two documents of the set in force, changed. */
function nextPolicies(world: World): ReadonlyMap<string, Policy> {
  const { random, plane } = world;
  const policies = new Map(plane.policies());
  for (let changes = 1 + random.below(2); changes > 0; changes--) {
    const id = random.pick(['github.yaml', 'files.yaml', 'more.yaml', 'guard.yaml']);
    const labels = random.chance(0.4) ? { [random.pick(['env', 'rack'])]: [random.pick(['prod', 'dev', '0', '1'])] } : {};
    const readOnly = random.chance(0.4) ? [{ name: random.pick(TOOLS), at: { line: 1, column: 1 } }] : null;
    const onStale = random.chance(0.2) ? ({ afterMs: 20_000 + random.below(60_000), do: 'deny' } as const) : null;
    // Tool e is what the old build does not know.
    const tools = some(world).filter((tool) => tool !== 'e' || random.chance(0.3));
    if (id === 'guard.yaml' && random.chance(0.3)) policies.delete(id);
    else if (id === 'guard.yaml') policies.set(id, { ...policyOf(id, [], { server: ['*'], labels }), admits: false, default: 'allow', hide: [{ name: random.pick(TOOLS), at: { line: 1, column: 1 } }] });
    else if (id === 'more.yaml' && random.chance(0.4)) policies.delete(id);
    else policies.set(id, { ...policyOf(id, tools, { server: [id === 'files.yaml' ? 'files' : id === 'more.yaml' ? '*' : 'github'], ...(id === 'more.yaml' ? { labels } : {}) }), readOnly, onStale });
  }
  return policies;
}

/** Kinds of trouble; each is over by itself after a while. */
export const TROUBLES = [
  'calls', 'drops', 'policies withheld', 'lift ahead of its policies', 'lift ahead of its policies', 'reorders', 'duplicates', 'lies', 'latency', 'partition', 'plane cut off', 'slow reader', 'reset', 'plane killed', 'plane killed before it told', 'plane says goodbye', 'proxy killed',
  'proxy killed, record damaged', 'power cut', 'clock forward', 'clock back', 'suspend', 'plane clock forward', 'plane clock back', 'plane suspended', 'disk full', 'disk slow', 'intruder', 'refused and reset', 'one of two away', 'one of two away',
] as const;

export function trouble(world: World): void {
  const { random, time, weather, plane, planeMachine } = world;
  const kind = random.pick(TROUBLES);
  const host = random.pick(world.hosts);
  const proxy = random.pick(world.proxies);
  const over = (ms: number, end: () => void): void => time.after(ms, end);
  world.saw(kind, kind.startsWith('plane') ? '' : `${host.id} ${proxy.name}`);
  switch (kind) {
    case 'calls':
      for (const one of world.proxies) if (one.running !== null) one.running.gate.judge({ kind: 'tool', name: random.pick(TOOLS), arguments: {} }, { name: 'agent' }).settle('ok');
      return;
    case 'drops':
      weather.drop = 0.2;
      return over(4_000, () => void (weather.drop = 0));
    case 'policies withheld':
      weather.withheld = true;
      return over(10_000, () => void (weather.withheld = false));
    case 'lift ahead of its policies':
      return liftAhead(world);
    case 'reorders':
      weather.delay = 0.3;
      return over(6_000, () => void (weather.delay = 0));
    case 'duplicates':
      weather.duplicate = 0.3;
      return over(6_000, () => void (weather.duplicate = 0));
    case 'lies':
      weather.lie = 0.7;
      return over(8_000, () => void (weather.lie = 0));
    case 'latency':
      weather.latencyMs = 2_000;
      return over(10_000, () => void (weather.latencyMs = 10));
    case 'partition':
      weather.cutOff.add(host.machine);
      return over(random.below(60_000), () => void weather.cutOff.delete(host.machine));
    case 'plane cut off':
      weather.cutOff.add(planeMachine);
      return over(random.below(20_000), () => void weather.cutOff.delete(planeMachine));
    case 'slow reader':
      for (const connection of world.network.connections) if (connection.proxy === proxy.name) connection.stalledUntil = time.now() + random.below(45_000);
      // Whoever is waited for is waited for no longer because somebody sets the plane's clock.
      if (random.chance(0.3)) over(1_000, () => planeMachine.jump(-random.below(3_600_000)));
      return;
    case 'reset':
      for (const connection of [...world.network.connections]) if (random.chance(0.5)) world.network.reset(connection);
      return;
    case 'plane killed':
      plane.kill();
      return over(random.below(30_000), () => restartPlane(world));
    case 'plane killed before it told':
      if (plane.running !== null) operate(world, 'crash');
      return over(random.below(10_000), () => restartPlane(world));
    case 'plane says goodbye':
      void plane.stop();
      return over(2_000 + random.below(10_000), () => restartPlane(world));
    case 'proxy killed':
      return restartLater(world, [random.pick([proxy, ...world.proxies.filter((one) => world.record(one).pending)])], random.below(2) * random.below(40_000));
    case 'proxy killed, record damaged':
      return damage(world, proxy);
    case 'power cut':
      return powerCut(world, host);
    case 'clock forward':
      return host.machine.jump(random.below(2) === 0 ? random.below(5_000) : random.below(3_600_000));
    case 'clock back':
      return clockBack(world, host);
    case 'suspend':
      if (time.now() - host.machine.disturbedAt < NOTICED_MS) return;
      host.machine.suspend();
      return over(random.below(60_000), () => host.machine.resume());
    case 'plane clock forward':
      return planeMachine.jump(random.below(2) === 0 ? random.below(5_000) : random.below(3_600_000));
    case 'plane clock back':
      return planeMachine.jump(-random.below(random.below(2) === 0 ? 5_000 : 3_600_000));
    case 'plane suspended':
      planeMachine.suspend();
      return over(random.below(40_000), () => planeMachine.resume());
    case 'disk full':
      host.disk.full = true;
      return over(random.below(20_000), () => void (host.disk.full = false));
    case 'disk slow':
      host.disk.slowness = 1_500;
      return over(random.below(20_000), () => void (host.disk.slowness = 2));
    case 'intruder':
      return world.intrude();
    case 'refused and reset':
      return refusedAndReset(world);
    case 'one of two away':
      return oneOfTwoAway(world);
  }
}

/** Restricted, then more is published that does not arrive, then lifted, then the power goes: what was lifted must still hold. */
function liftAhead(world: World): void {
  const { weather, plane, time, random } = world;
  if (plane.running === null) return;
  const tools = some(world);
  plane.execute({ kind: 'restrict', selector: { server: [], labels: {} }, tools, readOnly: false, expiresAtMs: null });
  const restriction = [...plane.state().restrictions.keys()].at(-1);
  time.after(800, () => {
    if (weather.calm) return;
    weather.withheld = true;
    publish(world, nextPolicies(world));
    if (restriction !== undefined) plane.execute({ kind: 'lift', restriction, expected: null });
  });
  time.after(1_600 + random.below(1_000), () => !weather.calm && restartLater(world, world.proxies.filter((proxy) => world.record(proxy).pending), 10));
  time.after(6_000, () => void (weather.withheld = false));
}

/** What an old build refuses is the head while its connection is replaced. */
function refusedAndReset(world: World): void {
  const { network, plane, time } = world;
  if (plane.running === null) return;
  publish(world, new Map([...plane.policies(), ['more.yaml', policyOf('more.yaml', ['e'], { server: ['*'] })]]));
  time.after(1_000, () => {
    if (world.weather.calm) return;
    for (const connection of [...network.connections]) if (world.proxies.some(({ name, tooOldFor }) => name === connection.proxy && tooOldFor !== null)) network.reset(connection);
  });
}

/** While one of two processes that share a folder is away, the other stores what is withdrawn again before the first is back. */
function oneOfTwoAway(world: World): void {
  const { network, plane, time, proxies } = world;
  const away = proxies.findLast(({ folder, host }, index) => proxies.some((other, at) => at !== index && other.folder === folder && other.host === host));
  const before = plane.state().version;
  if (plane.running === null || away === undefined) return;
  for (const connection of [...network.connections]) if (connection.proxy === away.name) network.reset(connection);
  const meanwhile = (ms: number, act: () => void): void => time.after(ms, () => !world.weather.calm && plane.running !== null && act());
  meanwhile(20, () => publish(world, nextPolicies(world)));
  meanwhile(120, () => publish(world, nextPolicies(world)));
  meanwhile(250, () => plane.execute({ kind: 'rollback', to: before, expected: null }));
}

function restartPlane({ plane }: World): void {
  if (plane.running?.stopping === true) plane.kill();
  if (plane.running === null) plane.start();
}

/** A process dies; the disk stays as it is. */
function restartLater(world: World, proxies: readonly SimProxy[], ms: number): void {
  for (const proxy of proxies) {
    world.kill(proxy);
    world.time.after(ms, () => proxy.host.machine.awake(() => void (proxy.running === null && world.boot(proxy))));
  }
}

/** What rots is found out by whoever starts next. */
function damage(world: World, proxy: SimProxy): void {
  const { random } = world;
  const sharing = world.proxies.filter(({ host, folder }) => host === proxy.host && folder === proxy.folder);
  for (let flips = 1 + random.below(2); flips > 0; flips--) {
    const file = proxy.host.disk.rot(/^(policies|restrictions|head)-/);
    if (file === null) continue;
    for (const other of world.proxies) if (other.host === proxy.host && file.startsWith(`${other.folder}/`)) world.record(other).damaged = true;
  }
  restartLater(world, sharing, random.below(2_000));
}

/** The machine stops at once, and with it what was not synced. */
function powerCut(world: World, host: SimHost): void {
  const down = world.proxies.filter((proxy) => proxy.host === host);
  host.machine.resume();
  for (const proxy of down) {
    world.kill(proxy);
    // The stale time that is found may be an older one.
    if (host.machine.setBackAtMono > Number.NEGATIVE_INFINITY) world.record(proxy).lastToldAt = null;
  }
  host.disk.powerCut();
  restartLater(world, down, world.random.below(5_000));
}

/** A machine that sleeps and whose clock is set back before anybody looked cannot be seen through by anybody, in either order. */
const NOTICED_MS = 6_000;

function clockBack(world: World, { machine }: SimHost): void {
  if (machine.suspended || world.time.now() - machine.disturbedAt < NOTICED_MS) return;
  machine.jump(-world.random.below(3_600_000));
  // Of what is not running nobody knows how long it was down.
  for (const proxy of world.proxies) if (proxy.host.machine === machine && proxy.running === null) world.record(proxy).lastToldAt = null;
}

/** From here on nothing goes wrong; in one world of four the last thing that does is that what is said first is lost. */
export function heal(world: World): void {
  const { weather, plane, planeMachine } = world;
  Object.assign(weather, { calm: true, calmSince: world.time.now(), drop: 0, delay: 0, duplicate: 0, lie: 0, withheld: false, lost: false, latencyMs: 10 });
  weather.cutOff.clear();
  planeMachine.resume();
  for (const host of world.hosts) {
    host.machine.resume();
    host.disk.full = false;
    host.disk.slowness = 2;
  }
  restartPlane({ ...world, plane });
  for (const proxy of world.proxies) if (proxy.running === null) world.boot(proxy);
  // A connection that lost something without a word is one that packets no longer pass: both ends learn of it.
  for (const connection of [...world.network.connections]) if (connection.tampered || connection.dead || connection.stalledUntil > world.time.now()) world.network.reset(connection);
  // Something that every build knows, so that everybody can get there.
  publish(world, new Map([...plane.policies()].map(([id, policy]) => [id, { ...policy, description: 'at the end', tools: policy.tools.filter(({ pattern }) => pattern !== 'e') }])));
  if (!world.random.chance(0.25)) return;
  world.saw('first lost');
  weather.lost = true;
  world.time.after(FIRST_LOST_MS, () => void (weather.lost = false));
  publish(world, new Map([...plane.policies()].map(([id, policy]) => [id, { ...policy, description: 'lost at first' }])));
}

const FIRST_LOST_MS = 300;
