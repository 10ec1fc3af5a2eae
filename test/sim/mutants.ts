/** Mechanisms broken on purpose, one at a time: the same world must notice each of them. A mutant patches one function of a real module. */

type Module = Record<string, (...args: never[]) => unknown>;

export interface Mutant {
  readonly name: string;
  /** The law that must be found broken. */
  readonly law: RegExp;
  readonly file: string;
  /** Where what shows it is rare: the first world that is looked at. */
  readonly from?: number;
  /** What replaces functions of the module, made from the module as it is. */
  readonly patch: (real: Module) => Record<string, unknown>;
}

const GUARD = '../../apps/proxy/src/guard/guard.ts';
const RESTORE = '../../apps/proxy/src/guard/restore.ts';
const WITNESS = '../../apps/proxy/src/guard/witness.ts';
const FRESHNESS = '../../apps/proxy/src/guard/freshness.ts';
const LAST_GOOD = '../../apps/proxy/src/store/last-good.ts';
const GATE = '../../apps/proxy/src/gate.ts';
const LINK = '../../apps/control-plane/src/domain/link.ts';
const CUTS = '../../apps/control-plane/src/fleet/cuts.ts';
const FLEET = '../../apps/control-plane/src/fleet/create.ts';
const DOOR = '../../apps/control-plane/src/fleet/door.ts';
const CORE = '@portcullis/policy-core';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-argument --
   A mutant stands outside of the types that it breaks. */
type Any = any;

/** Wraps one function: `broken` gets the real one. */
function broken(name: string, wrap: (real: Any) => Any): Mutant['patch'] {
  return (real) => ({ [name]: wrap(real[name]) });
}

/** Adopts what the real guard refuses for `reason`, in a state in which it would not. */
function adoptsAll(reason: (refused: Any) => boolean, pretend: (state: Any, frame: Any) => Any): Mutant['patch'] {
  return broken('adopt', (adopt) => (state: Any, frame: Any, source: string) => {
    const adopted = adopt(state, frame, source);
    if (adopted.ok || !reason(adopted)) return adopted;
    const again = adopt(pretend(state, frame), frame, source);
    return again.ok ? { ...again, state: { ...again.state, log: state.log, server: state.server, labels: state.labels } } : again;
  });
}

const forgetVersions = (state: Any): Any => ({
  ...state,
  policies: state.policies === null ? null : { ...state.policies, version: -1 },
  restrictions: state.restrictions === null ? null : { ...state.restrictions, version: -1 },
});

export const MUTANTS: readonly Mutant[] = [
  { name: 'a guard that takes what is older', law: /\[(W3|W6|W9|P6)\]/, file: GUARD, patch: adoptsAll((no) => no.evidence?.what === 'lower', forgetVersions) },
  { name: 'a guard that takes a second content for one version', law: /\[(W3|W6|W9|P6)\]/, file: GUARD, patch: adoptsAll((no) => no.evidence?.what === 'equivocation', forgetVersions) },
  {
    name: 'a guard that ignores the cut',
    law: /\[(W6|W9|P6|W3)\]/,
    file: GUARD,
    patch: adoptsAll((no) => no.evidence?.what === 'other-cut', (state, frame) => ({ ...state, server: frame.signed.cut.server, labels: null })),
  },
  { name: 'a guard that ignores the log', law: /\[(W3|W6|W9|P6)\]/, file: GUARD, patch: adoptsAll((no) => no.evidence?.what === 'other-log', (state, frame) => ({ ...state, log: frame.signed.log })) },
  {
    name: 'a guard that lifts before the policies are there',
    law: /\[(W6|P6)\]/,
    file: GUARD,
    patch: broken('adopt', (adopt) => (state: Any, frame: Any, source: string) => {
      const adopted = adopt(state, frame, source);
      return !adopted.ok || frame.frame !== 'restrict' ? adopted : { ...adopted, state: { ...adopted.state, restrictions: { ...adopted.state.restrictions, carried: [] } } };
    }),
  },
  {
    name: 'a guard that takes policies before their restrictions',
    law: /\[(W6|W9|P6|P3)\]/,
    file: GUARD,
    patch: broken('adopt', (adopt) => (state: Any, frame: Any, source: string) => {
      if (frame.frame !== 'snapshot' || state.restrictions === null) return adopt(state, frame, source);
      const adopted = adopt({ ...state, restrictions: { ...state.restrictions, version: Math.max(state.restrictions.version, frame.signed.restrictions) } }, frame, source);
      return adopted.ok ? { ...adopted, state: { ...adopted.state, restrictions: { ...state.restrictions, carried: [] } } } : adopted;
    }),
  },
  {
    name: 'a record that does not say what is carried',
    law: /\[(W6|P6)\]/,
    file: GUARD,
    patch: broken('adopt', (adopt) => (state: Any, frame: Any, source: string) => {
      const adopted = adopt(state, frame, source);
      if (!adopted.ok || adopted.persist?.kind !== 'restrictions') return adopted;
      return { ...adopted, persist: { ...adopted.persist, settled: true, text: JSON.stringify({ ...JSON.parse(adopted.persist.text), carried: [] }) } };
    }),
  },
  {
    name: 'a proxy that acknowledges before it stores',
    law: /\[W9\]/,
    file: LAST_GOOD,
    patch: broken('openLastGood', (open) => (...args: Any[]) => {
      const store = open(...args);
      return { ...store, write: (persist: Any) => (void store.write(persist).catch(() => undefined), Promise.resolve()) };
    }),
  },
  {
    name: 'a store that does not sync its folder',
    law: /\[W9\]/,
    file: LAST_GOOD,
    patch: broken('openLastGood', (open) => (directory: Any, disk: Any) => open(directory, { ...disk, syncFolder: () => Promise.resolve() })),
  },
  {
    name: 'a store that does not sync its files',
    law: /\[W9\]/,
    file: LAST_GOOD,
    patch: broken('openLastGood', (open) => (directory: Any, disk: Any) => open(directory, { ...disk, writeDurably: (file: string, bytes: Uint8Array) => Promise.resolve(disk.create(file, Buffer.from(bytes).toString('utf8'))) })),
  },
  {
    name: 'a store that remembers nothing',
    law: /\[(W9|P3|P6)\]/,
    file: LAST_GOOD,
    patch: broken('openLastGood', (open) => (...args: Any[]) => ({ ...open(...args), write: () => Promise.resolve() })),
  },
  {
    name: 'a proxy that acknowledges what it does not enforce',
    law: /\[W9\]/,
    file: GATE,
    patch: broken('createGate', (create) => (options: Any) => ({ ...create(options), prepare: () => Promise.resolve({ swap: () => undefined }) })),
  },
  {
    name: 'a gate that is open before there is a snapshot',
    law: /\[W6\]/,
    file: GATE,
    patch: broken('createGate', (create) => (options: Any) => {
      const gate = create(options);
      return {
        ...gate,
        judge: (call: Any, client: Any) => {
          const judged = gate.judge(call, client);
          return judged.decision.reason === 'no-snapshot' ? { ...judged, decision: { ...judged.decision, decision: 'allow' } } : judged;
        },
      };
    }),
  },
  {
    name: 'a restart that begins with older restrictions',
    law: /\[(W6|W9|P6)\]/,
    file: RESTORE,
    patch: broken('restore', (restore) => (log: Any, server: Any, stored: Any, verify: Any) => {
      const restored = restore(log, server, stored, verify);
      return restored.state.restrictions === null ? restored : { ...restored, state: { ...restored.state, restrictions: { ...restored.state.restrictions, set: [], carried: [] } } };
    }),
  },
  { name: 'a proxy that believes every signature', law: /\[(W3|W6|W9|P6|P3)\]/, file: CORE, patch: broken('readDown', (read) => (source: string, _verify: Any, ...rest: Any[]) => read(source, () => true, ...rest)) },
  {
    name: 'a proxy that trusts the header alone',
    law: /\[(W3|W6|W9|P6)\]/,
    file: CORE,
    patch: broken('readDown', (read) => (source: string, ...rest: Any[]) => {
      const frame = read(source, ...rest);
      if (frame.ok || !frame.message.startsWith('body')) return frame;
      const raw = JSON.parse(source);
      return { ok: true, value: { ...raw, signed: JSON.parse(raw.header) } };
    }),
  },
  { name: 'freshness that any lease keeps, whatever is held', law: /\[P3\]/, file: FRESHNESS, patch: broken('holding', (holding) => (state: Any) => holding(state, Number.MAX_SAFE_INTEGER)) },
  { name: 'freshness by the wall clock alone', law: /\[P3\]/, file: FRESHNESS, patch: clocks((now) => ({ ...now, monoMs: now.wallMs })) },
  { name: 'freshness by the monotonic clock alone', law: /\[P3\]/, file: FRESHNESS, patch: clocks((now) => ({ ...now, wallMs: now.monoMs })) },
  {
    name: 'freshness that follows the plane\'s clock back',
    law: /\[P3\]/,
    file: FRESHNESS,
    patch: broken('anchored', (anchored) => (state: Any, ...rest: Any[]) => ({ ...anchored(state, ...rest), confirmed: state.confirmed })),
  },
  {
    name: 'freshness that believes a lease of the future',
    law: /\[P3\]/,
    file: FRESHNESS,
    patch: (real: Any) => ({ isAhead: () => false, leased: (state: Any, lease: Any) => (state.anchor === null || lease.time <= state.lease.time ? state : { ...state, lease: { ...lease, asOf: lease.time } }), leaseAgeMs: real.leaseAgeMs }),
  },
  { name: 'a proxy that calls itself fresh before it was welcomed', law: /\[P3\]/, file: FRESHNESS, patch: broken('staleMs', (stale) => (state: Any, now: Any) => (state.anchor === null ? 0 : stale(state, now))) },
  {
    name: 'a restart that begins its stale time anew',
    law: /\[P3\]/,
    file: LAST_GOOD,
    patch: broken('openLastGood', (open) => (...args: Any[]) => ({ ...open(...args), readStale: () => 0 })),
  },
  { name: 'a plane that sends no heartbeats', law: /\[(W7|P3)\]/, file: FLEET, patch: broken('createFleet', (create) => (options: Any) => create({ ...options, heartbeatMs: 1e12 })) },
  {
    name: 'a plane that offers again what was refused',
    law: /\[(W5|W7)\]/,
    file: LINK,
    patch: broken('refused', (refused) => (link: Any, ...rest: Any[]) => ({ ...refused(link, ...rest), barred: link.barred })),
  },
  {
    name: 'a plane that has several snapshots on their way',
    law: /\[W6\]/,
    file: LINK,
    patch: broken('plan', (plan) => (link: Any, ...rest: Any[]) => plan({ ...link, sent: { ...link.sent, snapshot: null } }, ...rest)),
  },
  {
    name: 'a plane that tells only those whom a change concerns',
    law: /\[W7\]/,
    file: LINK,
    patch: broken('plan', (plan) => (link: Any, ...rest: Any[]) => {
      const planned = plan(link, ...rest);
      return planned.send.includes('advance') ? { link, send: [] } : planned;
    }),
  },
  {
    name: 'a plane that never gives up a reader that does not answer',
    law: /\[W7\]/,
    file: LINK,
    patch: broken('isSlow', () => () => false),
  },
  {
    name: 'a plane that cuts for one label too few',
    law: /\[(W6|W7|W9|P6)\]/,
    file: CUTS,
    patch: broken('makeCuts', (make) => (...args: Any[]) => {
      const cuts = make(...args);
      return { ...cuts, of: (identity: Any) => cuts.of({ ...identity, labels: {} }) };
    }),
  },
  {
    name: 'a plane that waits by a clock that can be set',
    from: 200,
    law: /\[W7\]/,
    file: FLEET,
    patch: broken('createFleet', (create) => (options: Any) => create({ ...options, ticks: options.now })),
  },
  {
    name: 'a plane that never sends again what was lost',
    law: /\[W7\]/,
    file: LINK,
    patch: broken('missed', () => (link: Any) => link),
  },
  {
    name: 'a plane that forgets what was refused when a connection is replaced',
    law: /\[(W5|W7)\]/,
    file: LINK,
    patch: broken('openLink', (open) => (held: Any, labelledAt: Any) => open(held, labelledAt, new Map())),
  },
  {
    name: 'a guard that names content which was shown to the wrong audience',
    law: /\[(W5|W7)\]/,
    file: GUARD,
    patch: broken('adopt', (adopt) => (state: Any, frame: Any, source: string) => {
      const adopted = adopt(state, frame, source);
      return adopted.ok || adopted.evidence?.what !== 'other-cut' || frame.frame === 'advance' ? adopted : { ...adopted, digest: frame.signed.digest };
    }),
  },
  {
    name: 'freshness that never reckons anew where the clocks have parted',
    law: /\[P3\]/,
    file: FRESHNESS,
    patch: broken('ticked', (ticked) => (state: Any, now: Any) => ({ ...ticked(state, now), anchor: state.anchor, before: state.before })),
  },
  {
    name: 'a guard that calls every set of restrictions settled',
    from: 412,
    law: /\[(W6|P6)\]/,
    file: GUARD,
    patch: broken('adopt', (adopt) => (state: Any, frame: Any, source: string) => {
      const adopted = adopt(state, frame, source);
      return !adopted.ok || adopted.persist?.kind !== 'restrictions' ? adopted : { ...adopted, persist: { ...adopted.persist, settled: true } };
    }),
  },
  {
    name: 'a proxy that believes every head of the tree',
    law: /\[L7\]/,
    file: WITNESS,
    patch: broken('continued', (continued) => (_known: Any, shown: Any, ...rest: Any[]) => continued(null, { ...shown, proof: [] }, ...rest)),
  },
  {
    name: 'a proxy that keeps no evidence',
    law: /\[W3\]/,
    file: LAST_GOOD,
    patch: broken('openLastGood', (open) => (...args: Any[]) => ({ ...open(...args), keepEvidence: () => undefined })),
  },
  {
    name: 'a door that waits for ever',
    law: /\[W1\]/,
    file: DOOR,
    patch: broken('makeDoor', (make) => (options: Any) => make({ ...options, timers: { ...options.timers, after: () => () => undefined } })),
  },
];

/** All of freshness with clocks that are seen otherwise. */
function clocks(seen: (now: Any) => Any): Mutant['patch'] {
  return (real: Any) => ({
    startStale: (staleMs: Any, now: Any) => real.startStale(staleMs, seen(now)),
    anchored: (state: Any, welcome: Any, asked: Any) => real.anchored(state, welcome, seen(asked)),
    leased: (state: Any, lease: Any, now: Any) => real.leased(state, lease, seen(now)),
    isAhead: (state: Any, lease: Any, now: Any) => real.isAhead(state, lease, seen(now)),
    ticked: (state: Any, now: Any) => real.ticked(state, seen(now)),
    staleMs: (state: Any, now: Any) => real.staleMs(state, seen(now)),
    leaseAgeMs: (state: Any, now: Any) => real.leaseAgeMs(state, seen(now)),
  });
}
