/** What to answer to a frame of the plane that cannot be read or is not signed, and what to keep of it. */
import { linkLimits } from '@portcullis/policy-core';
import type { Fault, UpFrame } from '@portcullis/policy-core';
import type { Evidence } from '../guard/guard.ts';

export interface Blame {
  readonly nack: Extract<UpFrame, { frame: 'nack' }>;
  readonly evidence: Evidence | null;
}

/**
 * Names the content where the plane signed what cannot be read, so that it does not send it again. Whatever is wrong outside of the signed
 * header says nothing about the content itself, and is worth another try.
 */
export function blame(text: string, fault: Fault): Blame {
  const outer = parse(text);
  const header = stringAt(outer, 'header');
  const signature = stringAt(outer, 'signature');
  const digest = digestIn(header === null ? null : parse(header));
  const frame = stringAt(outer, 'frame');
  const part = frame === 'restrict' ? 'restrictions' : frame === 'snapshot' ? 'policies' : 'link';
  const forged = fault.kind === 'invalid' && (fault.message.startsWith('signature') || fault.message.startsWith('body'));
  return {
    nack: { frame: 'nack', part, digest: part === 'link' || !fault.message.startsWith('header') ? null : digest, kind: forged ? 'transient' : fault.kind, problems: [fault.message.slice(0, linkLimits.MAX_PROBLEM_CHARS)] },
    evidence: forged && header !== null && signature !== null ? { what: 'forged', held: null, refused: { header, signature } } : null,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function stringAt(value: unknown, key: string): string | null {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return null;
  const found = (value as Record<string, unknown>)[key];
  return typeof found === 'string' && found.length <= linkLimits.MAX_HEADER_CHARS ? found : null;
}

function digestIn(header: unknown): string | null {
  const digest = stringAt(header, 'digest');
  return digest !== null && /^[0-9a-f]{64}$/.test(digest) ? digest : null;
}
