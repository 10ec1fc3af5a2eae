/**
 * One text for one value: object keys in code-unit order, no spaces, every key kept (`__proto__` too). The digest of that text
 * names content: two planes, or one plane before and after a restart, give the same content the same name.
 */
import { createHash } from 'node:crypto';
import { InexactNumber } from './json.ts';

/**
 * The canonical JSON text of `value`. Takes any plain data (interfaces included, hence `unknown`); a number must be finite, and one that
 * a double cannot hold keeps its own text. Throws a TypeError for anything that JSON cannot say, because that is a bug of the caller.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`no canonical JSON for the number ${String(value)}`);
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : canonicalObject(value);
    default:
      throw new TypeError(`no canonical JSON for a value of type ${typeof value}`);
  }
}

function canonicalObject(value: object): string {
  if (value instanceof InexactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const keys = Object.keys(value).sort();
  const members = keys.map((key) => `${JSON.stringify(key)}:${canonicalJson((value as Record<string, unknown>)[key])}`);
  return `{${members.join(',')}}`;
}

/** SHA-256 of the text's UTF-8 bytes, lower-case hex: the name of the content. */
export function digestOf(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}
