/**
 * After a quick start: what was not read is read in small portions while the plane serves. Every leaf, the root, every payload that an event
 * needs, and the fold itself are held against what the start relied on. A plane whose log turns out to be damaged records nothing more.
 */
import { emptyEdge, encodeHash, rootOf } from '@portcullis/tlog';
import type { Edge } from '@portcullis/tlog';
import { ERASED } from './domain/events.ts';
import { fold, NOTHING } from './domain/fold.ts';
import { stateText } from './domain/state-text.ts';
import type { PlaneState } from './domain/state.ts';
import type { KeptFold } from './fold-shelf.ts';
import { readEvents } from './log/log.ts';
import type { LogStore } from './log/store.ts';

/** A few milliseconds of work, so that no call waits for it noticeably. */
const PORTION = 250;
/** Between portions: a quarter of one core at most. */
const PAUSE_MS = 15;

export interface Finding {
  /** The log is damaged; or a kept fold is not that of its events, so that whoever began from it is wrong; or it only holds a text that was erased since. */
  readonly of: 'log' | 'state' | 'text';
  readonly problem: string;
}

export interface Recheck {
  /** `tell` is called once, at the end: with what is wrong, or with undefined. */
  readonly start: (tell: (finding: Finding | undefined) => void) => void;
  readonly stop: () => void;
}

/** Checks the events of `known`, the fold that the start relied on. */
export function createRecheck(store: LogStore, known: KeptFold): Recheck {
  let timer: NodeJS.Timeout | undefined;
  let edge = emptyEdge();
  let state: PlaneState = NOTHING;

  const next = (tell: (finding: Finding | undefined) => void): void => {
    timer = setTimeout(() => {
      const read = readOn(store, edge, Math.min(edge.size + PORTION, known.size), state);
      if (!read.ok) return tell({ of: 'log', problem: read.problem });
      ({ edge, state } = read);
      if (edge.size < known.size) next(tell);
      else tell(verdict(edge, state, known));
    }, PAUSE_MS);
    timer.unref();
  };
  return { start: next, stop: () => clearTimeout(timer) };
}

/** Folds the first `size` events from the beginning, at once, and holds each of `folds` against what it gives. */
export function refold(store: LogStore, folds: readonly KeptFold[], size: number): readonly Finding[] {
  let edge = emptyEdge();
  let state: PlaneState = NOTHING;
  const findings: Finding[] = [];
  for (const known of [...folds.filter((kept) => kept.size <= size), undefined]) {
    const read = readOn(store, edge, known?.size ?? size, state);
    if (!read.ok) return [...findings, { of: 'log', problem: read.problem }];
    ({ edge, state } = read);
    const finding = known === undefined ? undefined : verdict(edge, state, known);
    if (finding !== undefined) findings.push(finding);
  }
  return findings;
}

type Portion = { readonly ok: true; readonly edge: Edge; readonly state: PlaneState } | { readonly ok: false; readonly problem: string };

function readOn(store: LogStore, begin: Edge, to: number, before: PlaneState): Portion {
  try {
    const reading = readEvents(store, begin, to);
    let edge = begin;
    const events = {
      *[Symbol.iterator]() {
        edge = yield* reading;
      },
    };
    const state = fold(before, events);
    return edge.size === to ? { ok: true, edge, state } : { ok: false, problem: `event ${edge.size} is missing` };
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message : String(error) };
  }
}

function verdict(edge: Edge, state: PlaneState, known: KeptFold): Finding | undefined {
  if (encodeHash(rootOf(edge)) !== known.root) return { of: 'log', problem: `the first ${known.size} events do not give the root that was signed: something was altered` };
  const text = stateText(state);
  if (text === known.text) return undefined;
  if (differsInErased(JSON.parse(text), JSON.parse(known.text))) return { of: 'text', problem: `the fold that was kept at ${known.size} events holds a text that was erased` };
  return { of: 'state', problem: `the fold that was kept at ${known.size} events is not that of its events: it was altered` };
}

/** Whether two values differ only where the first one was erased: a reason is null then, and a name says so. */
function differsInErased(now: unknown, kept: unknown, field = ''): boolean {
  if (typeof kept === 'string') return now === kept || now === ERASED || (now === null && field === 'reason');
  if (typeof now !== 'object' || typeof kept !== 'object' || now === null || kept === null) return now === kept;
  const here = Object.entries(now);
  const there = new Map<string, unknown>(Object.entries(kept));
  return here.length === there.size && here.every(([key, value]) => there.has(key) && differsInErased(value, there.get(key), key));
}
