/**
 * Strict reading of JSON that came over the wire (W2): every field is named here, nothing else may be there. An unknown field, kind or
 * operator means that the sender knows more than we do (`unsupported`); a wrong type means that it is wrong (`invalid`). The first fault
 * is reported with its place; nothing is ever ignored or repaired.
 */

export type Read<T> = { readonly ok: true; readonly value: T } | Fault;

export interface Fault {
  readonly ok: false;
  readonly kind: 'unsupported' | 'invalid';
  /** Where and what: `policies[3].tools[0].rules: expected a list`. */
  readonly message: string;
}

/** Reads one value; `at` is its place, for messages. */
export type Shape<T> = (value: unknown, at: string) => Read<T>;

/** What a shape reads. */
export type Of<S> = S extends Shape<infer T> ? T : never;

function fault(kind: Fault['kind'], at: string, message: string): Fault {
  return { ok: false, kind, message: `${at === '' ? 'frame' : at}: ${message}` };
}

export function invalid(at: string, message: string): Fault {
  return fault('invalid', at, message);
}

export function unsupported(at: string, message: string): Fault {
  return fault('unsupported', at, message);
}

function good<T>(value: T): Read<T> {
  return { ok: true, value };
}

export function text(maxChars: number): Shape<string> {
  return (value, at) => {
    if (typeof value !== 'string') return invalid(at, 'expected a string');
    return value.length > maxChars ? invalid(at, `longer than ${maxChars} characters`) : good(value);
  };
}

/** A string of the given form, the whole of it; `what` names the form in messages. */
export function formed(pattern: RegExp, what: string): Shape<string> {
  return (value, at) => (typeof value === 'string' && pattern.test(value) ? good(value) : invalid(at, `expected ${what}`));
}

export const boolean: Shape<boolean> = (value, at) => (typeof value === 'boolean' ? good(value) : invalid(at, 'expected true or false'));

/** A whole number from `min` to 2^53 - 1. */
export function whole(min = 0): Shape<number> {
  return (value, at) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min ? good(value) : invalid(at, `expected a whole number, at least ${min}`);
}

/** One of a closed list of strings. Another string is something that we do not know yet. */
export function oneOf<const T extends string>(values: readonly T[]): Shape<T> {
  const known = new Set<string>(values);
  return (value, at) => {
    if (typeof value !== 'string') return invalid(at, 'expected a string');
    return known.has(value) ? good(value as T) : unsupported(at, `unknown value ${JSON.stringify(value.slice(0, 80))}`);
  };
}

/** Exactly this value; another one is something that we do not know yet. */
export function exactly<const T extends string | number>(expected: T): Shape<T> {
  return (value, at) => (value === expected ? good(expected) : unsupported(at, `expected ${JSON.stringify(expected)}`));
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, at) => (value === null ? good(null) : shape(value, at));
}

export function list<T>(shape: Shape<T>, maxItems: number): Shape<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) return invalid(at, 'expected a list');
    if (value.length > maxItems) return invalid(at, `more than ${maxItems} items`);
    const items: T[] = [];
    for (let index = 0; index < value.length; index++) {
      const item = shape(value[index], `${at}[${index}]`);
      if (!item.ok) return item;
      items.push(item.value);
    }
    return good(items);
  };
}

/** A mapping whose keys are data. Own keys only, `__proto__` among them. */
export function mapping<T>(shape: Shape<T>, maxEntries: number): Shape<Readonly<Record<string, T>>> {
  return (value, at) => {
    if (!isObject(value)) return invalid(at, 'expected a mapping');
    const entries = Object.entries(value);
    if (entries.length > maxEntries) return invalid(at, `more than ${maxEntries} entries`);
    const read: [string, T][] = [];
    for (const [key, entry] of entries) {
      if (key.length > 256) return invalid(at, 'a key is longer than 256 characters');
      const one = shape(entry, `${at}.${key}`);
      if (!one.ok) return one;
      read.push([key, one.value]);
    }
    return good(Object.fromEntries(read));
  };
}

/** Exactly these fields, all of them. */
export function object<T extends object>(fields: { readonly [K in keyof T]: Shape<T[K]> }): Shape<T> {
  const known: [string, Shape<unknown>][] = Object.entries<Shape<unknown>>(fields);
  const names = new Set(known.map(([name]) => name));
  return (value, at) => {
    if (!isObject(value)) return invalid(at, 'expected a mapping');
    for (const name of Object.keys(value)) if (!names.has(name)) return unsupported(at, `unknown field ${JSON.stringify(name.slice(0, 80))}`);
    const read: Record<string, unknown> = {};
    for (const [name, shape] of known) {
      if (!Object.hasOwn(value, name)) return invalid(at, `field ${JSON.stringify(name)} is missing`);
      const field = shape(value[name], at === '' ? name : `${at}.${name}`);
      if (!field.ok) return field;
      read[name] = field.value;
    }
    // Each field was read by the shape that T names for it.
    return good(read as T);
  };
}

/** A union told apart by one field; another tag is something that we do not know yet. */
export function tagged<T>(tag: string, shapes: { readonly [name: string]: Shape<T> }): Shape<T> {
  return (value, at) => {
    if (!isObject(value)) return invalid(at, 'expected a mapping');
    const name = Object.hasOwn(value, tag) ? value[tag] : undefined;
    if (typeof name !== 'string') return invalid(at, `field ${JSON.stringify(tag)} is missing`);
    const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
    return shape === undefined ? unsupported(at, `unknown ${tag} ${JSON.stringify(name.slice(0, 80))}`) : shape(value, at);
  };
}

/** Reads a JSON text; a text that is no JSON is invalid. */
export function readJson<T>(shape: Shape<T>, source: string, at = ''): Read<T> {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    return invalid(at, 'not JSON');
  }
  return shape(value, at);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
