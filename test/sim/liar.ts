/**
 * Somebody between plane and proxies: sees everything that the plane says, and shows proxies what was said before, to others, in part, with
 * changed bits, signed by another key. Some lies need the plane's own key: two contents under one version, or frames of another log;
 * what would be in force already without a lie (a version that nobody has seen yet) is not told, because nobody could tell.
 */
import { createHash } from 'node:crypto';
import { canonicalJson, digestOf, identityOf, inCut, plainFrame, policiesBody, restrictionsBody, signedFrame, signHeader } from '@portcullis/policy-core';
import type { Cut, Mark, PartName, ShownHead, SignedKind, TreeMark } from '@portcullis/policy-core';
import { signCheckpoint, signerFromSeed } from '@portcullis/tlog';
import { policyOf } from '../fleet/world.ts';
import type { Random } from '../random.ts';
import type { Frame } from './network.ts';
import { PLANE_KEY_SEED } from './signing.ts';
import type { Keys } from './signing.ts';

export const LIES = ['old', 'other-audience', 'forged', 'truncated', 'swapped', 'bit-flip', 'two-contents', 'other-log', 'other-kind', 'unknown', 'carried-over', 'other-history'] as const;
export type Lie = (typeof LIES)[number];

/** Whom the lie is for. */
export interface Victim {
  readonly server: string;
  readonly cut: Cut;
  readonly policies: Mark | null;
  readonly restrictions: Mark | null;
  readonly tree: TreeMark | null;
}

export interface Liar {
  /** Everything that the plane says passes by here. */
  overhear(frame: Frame, server: string): void;
  /** A frame that the plane did not say now, while it says `instead`; null where this lie cannot be told yet. */
  lie(kind: Lie, victim: Victim, instead: Frame): Frame | null;
}

/** Frames that are remembered: the first ones are the oldest, and the best to show again. */
const MAX_REMEMBERED = 400;
const MAX_LATEST = 40;

interface Outer {
  readonly frame: string;
  readonly header?: string;
  readonly signature?: string;
  readonly body?: string;
}

export function makeLiar(options: { readonly random: Random; readonly plane: Keys; readonly thief: Keys; readonly log: string; readonly now: () => number }): Liar {
  const { random, plane, thief, log, now } = options;
  const heard: { readonly frame: Frame; readonly server: string; readonly outer: Outer }[] = [];
  const latest: { readonly frame: Frame; readonly outer: Outer }[] = [];
  const any = (of: (outer: Outer, server: string) => boolean): { readonly frame: Frame; readonly outer: Outer } | null => {
    const fitting = heard.filter(({ outer, server }) => of(outer, server));
    return fitting.length === 0 ? null : random.pick(fitting);
  };
  const made = (text: string): Frame => ({ text, sentAt: now(), honest: false });
  const again = (found: { readonly frame: Frame } | null): Frame | null => found?.frame ?? null;
  const signed = ({ outer, header, body, by, as }: { outer: string; header: object; body?: string; by: Keys; as: SignedKind }): Frame => {
    const text = canonicalJson(header);
    return made(signedFrame(outer, text, signHeader(by.sign, as, text), body));
  };
  const enforced = ({ outer }: { readonly outer: Outer }): boolean => ['snapshot', 'restrict', 'advance'].includes(outer.frame);

  function lie(kind: Lie, victim: Victim, instead: Frame): Frame | null {
    switch (kind) {
      case 'old':
        return again(any((_outer, server) => server === victim.server));
      case 'other-audience':
        return otherAudience(victim);
      case 'forged':
        return content(victim, { by: thief, log, version: highest(victim) + 1 + random.below(3) });
      case 'truncated': {
        const found = any(() => true);
        return found === null ? null : made(found.frame.text.slice(0, random.below(found.frame.text.length)));
      }
      case 'swapped': {
        const now = JSON.parse(instead.text) as Outer;
        const one = now.body === undefined ? any((outer) => outer.body !== undefined)?.outer : now;
        const other = any((outer) => outer.frame === one?.frame && outer.body !== one.body);
        return one === undefined || other === null ? null : made(JSON.stringify({ ...one, body: other.outer.body }));
      }
      case 'bit-flip': {
        return made(flipped(instead.text));
      }
      case 'two-contents':
        return twoContents(victim);
      case 'other-log':
        return content(victim, { by: plane, log: `${log}-restored`, version: highest(victim) + 1 });
      case 'other-kind': {
        const found = any((outer) => outer.header !== undefined);
        if (found === null) return null;
        const frame = random.pick(['snapshot', 'restrict', 'advance', 'heartbeat', 'welcome'].filter((name) => name !== found.outer.frame));
        const { body, ...rest } = found.outer;
        const bodied = frame === 'snapshot' || frame === 'restrict';
        return made(JSON.stringify({ ...rest, frame, ...(bodied ? { body: body ?? restrictionsBody([]) } : {}) }));
      }
      case 'unknown': {
        const found = any((outer) => outer.header !== undefined);
        return found === null ? null : made(JSON.stringify(random.chance(0.5) ? { ...found.outer, later: true } : { ...found.outer, frame: 'later' }));
      }
      case 'other-history':
        return otherHistory(victim, instead);
      case 'carried-over':
        // A statement about what is current, held back: it must not count as fresh.
        return again(any((outer) => outer.frame === 'heartbeat'));
    }
  }

  /** The newest that was said to somebody else. */
  function otherAudience({ server, cut }: Victim): Frame | null {
    const isOther = ({ outer }: { readonly outer: Outer }): boolean => {
      if (!enforced({ outer })) return false;
      const theirs = (JSON.parse(outer.header!) as { readonly cut: Cut }).cut;
      return theirs.server !== server || !inCut(theirs, identityOf(cut));
    };
    return again(latest.findLast(isOther) ?? null);
  }

  /** Content that permits everything: what an attacker wants. */
  function content({ cut }: Victim, { by, log: named, version }: { readonly by: Keys; readonly log: string; readonly version: number }): Frame {
    if (random.chance(0.5)) {
      const body = restrictionsBody([]);
      return signed({ outer: 'restrict', header: { log: named, cut, version, digest: digestOf(body), after: 0 }, body, by, as: 'restrict' });
    }
    const body = policiesBody([{ ...policyOf('open.yaml', []), default: 'allow', match: { server: [cut.server], labels: {}, upstream: [] } }]);
    return signed({ outer: 'snapshot', header: { log: named, cut, version, digest: digestOf(body), restrictions: 0 }, body, by, as: 'snapshot' });
  }

  function twoContents(victim: Victim): Frame | null {
    const part: PartName = random.pick(['policies', 'restrictions']);
    const held = victim[part];
    if (held === null) return null;
    const common = { log, cut: victim.cut, version: held.version };
    if (part === 'restrictions') {
      const body = `${restrictionsBody([]).slice(0, -1)} }`;
      return signed({ outer: 'restrict', header: { ...common, digest: digestOf(body), after: held.version }, body, by: plane, as: 'restrict' });
    }
    const body = policiesBody([{ ...policyOf('open.yaml', []), default: 'allow', match: { server: [victim.server], labels: {}, upstream: [] } }]);
    return signed({ outer: 'snapshot', header: { ...common, digest: digestOf(body), restrictions: 0 }, body, by: plane, as: 'snapshot' });
  }

  /** A head of the tree that the plane signed for somebody else's eyes: as long as the one that is known and another one, longer, or cut short. */
  function otherHistory({ tree }: Victim, instead: Frame): Frame | null {
    if (tree === null || tree.size < 2) return null;
    const size = tree.size + random.pick([-1, 0, 3]);
    const note = signCheckpoint({ origin: log, size, root: createHash('sha256').update(`another ${size}`).digest() }, signerFromSeed(log, new Uint8Array(32).fill(PLANE_KEY_SEED)));
    const shown: ShownHead = { from: tree.size, note, proof: size > tree.size ? [tree.root, tree.root] : [] };
    const now = JSON.parse(instead.text) as Outer;
    return made(now.frame === 'welcome' ? JSON.stringify({ ...now, shown }) : plainFrame({ frame: 'checkpoint', ...shown }));
  }

  /** One bit of one character; JSON stays text. */
  function flipped(text: string): string {
    const at = random.below(text.length);
    return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << random.below(7))) + text.slice(at + 1);
  }

  return {
    lie,
    overhear: (frame, server) => {
      const one = { frame, server, outer: JSON.parse(frame.text) as Outer };
      latest.push(one);
      if (latest.length > MAX_LATEST) latest.shift();
      if (heard.length < MAX_REMEMBERED) heard.push(one);
      else heard[random.below(MAX_REMEMBERED)] = one;
    },
  };
}

function highest({ policies, restrictions }: Victim): number {
  return Math.max(policies?.version ?? 0, restrictions?.version ?? 0);
}
