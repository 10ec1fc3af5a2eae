/** What a condition's path reads: an argument, a counter, or something about the proxy, the client or the time. */
import type { CallContext } from '../call.ts';
import type { CounterKey } from '../counter.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import { isObject } from './values.ts';

export type Source =
  | { readonly kind: 'argument'; readonly read: (argumentsOfCall: JsonObject) => JsonValue | undefined }
  | { readonly kind: 'context'; readonly read: (context: CallContext) => JsonValue | undefined }
  /** A null key is a counter that nobody counts: it reads 0, as in Intercept. */
  | { readonly kind: 'count'; readonly key: CounterKey | null };

/** Finds the counter behind `state.<name>`; null where there is none. */
export type FindCounter = (name: string) => CounterKey | null;

const HOUR_MS = 3_600_000;
const WEEKDAYS = ['thursday', 'friday', 'saturday', 'sunday', 'monday', 'tuesday', 'wednesday'] as const;

/** Compiles a path; throws where it reads nothing that exists (the parser refuses that before). */
export function compilePath(path: string, findCounter: FindCounter): Source {
  if (path.startsWith('args.')) return { kind: 'argument', read: compileArgument(path) };
  if (path.startsWith('state.')) return { kind: 'count', key: findCounter(path.slice('state.'.length)) };
  return { kind: 'context', read: compileContext(path) };
}

/** The value at `args.a.b`, every segment an own key of an object; undefined where there is none. No list index, no escape. */
export function compileArgument(path: string): (argumentsOfCall: JsonObject) => JsonValue | undefined {
  const segments = path.split('.').slice(1);
  const [only = ''] = segments;
  if (segments.length === 1) return (argumentsOfCall) => (Object.hasOwn(argumentsOfCall, only) ? argumentsOfCall[only] : undefined);
  return (argumentsOfCall) => {
    let value: JsonValue = argumentsOfCall;
    for (const segment of segments) {
      if (!isObject(value) || !Object.hasOwn(value, segment)) return undefined;
      const next: JsonValue | undefined = value[segment];
      if (next === undefined) return undefined;
      value = next;
    }
    return value;
  };
}

function compileContext(path: string): (context: CallContext) => JsonValue | undefined {
  const labelled = 'proxy.labels.';
  if (path.startsWith(labelled)) {
    const label = path.slice(labelled.length);
    return ({ labels }) => (Object.hasOwn(labels, label) ? labels[label] : undefined);
  }
  switch (path) {
    case 'proxy.server':
      return ({ server }) => server;
    case 'client.name':
      return ({ clientName }) => clientName ?? undefined;
    case 'time.hour':
      return ({ nowMs }) => remainder(Math.floor(nowMs / HOUR_MS), 24);
    case 'time.weekday':
      // 1970 began on a Thursday.
      return ({ nowMs }) => WEEKDAYS[remainder(Math.floor(nowMs / (24 * HOUR_MS)), 7)];
    default:
      throw new Error(`the path ${JSON.stringify(path)} reads nothing`);
  }
}

function remainder(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
