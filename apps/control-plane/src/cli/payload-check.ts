/**
 * What a published log's entries bind besides the tree: payloads by their hashes. Events' bodies, policy texts and models must be
 * there; reasons and names are salted and may have been erased, then their file is missing, a TextErased event says so, and everything else is valid.
 */
import { hash } from 'node:crypto';
import { bundlePath, decodeBundle, verifierKey } from '@portcullis/tlog';
import type { FileReader, VerifierKey } from '@portcullis/tlog';

export interface PayloadProblem {
  readonly code: 'PAYLOAD_MISSING' | 'PAYLOAD_WRONG' | 'TEXT_MISSING' | 'ENTRY_MALFORMED';
  readonly where: string;
  readonly what: string;
}

export interface PayloadCheck {
  /** To be given every entry in order. */
  readonly entry: (index: number, entry: Uint8Array) => void;
  readonly problems: readonly PayloadProblem[];
  /** Reasons and names that are not there. */
  readonly erased: () => number;
  /** After the last entry: the events whose reason or name is not there although no event says that it was erased. */
  readonly unexplained: () => readonly PayloadProblem[];
}

/** Problems kept; a broken log has one cause or a thousand symptoms. */
const MAX_PROBLEMS = 100;
/** Contents that were found good lately: changes name the same ones again. */
const REMEMBERED = 10_000;

/** Checks every payload that an entry binds, directly or through its body. */
export function payloadCheck(read: FileReader): PayloadCheck {
  const problems: PayloadProblem[] = [];
  const good = new Set<string>();
  let erased = 0;
  const missing = new Set<number>();
  const explained = new Set<number>();
  const report = (problem: PayloadProblem): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
  };
  const check = (sha256: string, erasable: boolean, index: number): Uint8Array | undefined => {
    const where = payloadPath(sha256);
    const bytes = read(where);
    if (bytes === undefined && erasable) {
      erased += 1;
      missing.add(index);
    } else if (bytes === undefined) report({ code: 'PAYLOAD_MISSING', where, what: `event ${index} names it, and it is not there; bring it back from another copy` });
    else if (hash('sha256', bytes) !== sha256) report({ code: 'PAYLOAD_WRONG', where, what: `it is not what event ${index} recorded; compare it with another copy` });
    return bytes;
  };
  const checkContent = (sha256: string, index: number): void => {
    if (good.has(sha256)) return;
    if (good.size >= REMEMBERED) good.clear();
    good.add(sha256);
    check(sha256, false, index);
  };
  const entry = (index: number, bytes: Uint8Array): void => {
    try {
      const { type, payload_sha256: bodyName, reason_sha256: reason } = json(bytes);
      if (typeof reason === 'string') check(text(reason), true, index);
      const body = check(text(bodyName), false, index);
      if (body === undefined) return;
      const { hidden_sha256: hidden, changes, seqs } = json(body);
      if (type === 'TextErased') for (const seq of seqsOf(seqs)) explained.add(seq);
      if (typeof hidden === 'string') check(text(hidden), true, index);
      for (const name of contentsOf(changes)) checkContent(name, index);
    } catch {
      report({ code: 'ENTRY_MALFORMED', where: `event ${index}`, what: 'it cannot be read as an event; compare the log with another copy' });
    }
  };
  const unexplained = (): readonly PayloadProblem[] => [...missing].filter((seq) => !explained.has(seq)).slice(0, MAX_PROBLEMS).map(unexplainedText);
  return { entry, problems, erased: () => erased, unexplained };
}

/** Lawful erasing leaves a trace of who did it, and why. */
function unexplainedText(seq: number): PayloadProblem {
  return { code: 'TEXT_MISSING', where: `event ${seq}`, what: 'its reason or a name is not there, and no event says that it was erased, as `portcullis log erase` does; bring it back from another copy' };
}

/** The key that a published log claims in its first event; undefined where that cannot be read. It proves nothing by itself. */
export function claimedKey(read: FileReader): VerifierKey | undefined {
  try {
    const entry = firstEntry(read);
    const body = entry === undefined ? undefined : read(payloadPath(text(json(entry)['payload_sha256'])));
    if (body === undefined) return undefined;
    const { log, publicKey } = json(body);
    return verifierKey(text(log), Buffer.from(text(publicKey), 'base64'));
  } catch {
    return undefined;
  }
}

/** Of a log of 255 events or fewer the first bundle is partial, and its width is not known before. */
function firstEntry(read: FileReader): Uint8Array | undefined {
  for (let width = 256; width > 0; width -= 1) {
    const bundle = read(bundlePath(0, width));
    const decoded = bundle === undefined ? undefined : decodeBundle(bundle);
    if (decoded?.ok === true) return decoded.entries[0];
  }
  return undefined;
}

function payloadPath(sha256: string): string {
  return `payload/${sha256}`;
}

function contentsOf(changes: unknown): readonly string[] {
  if (!Array.isArray(changes)) return [];
  return (changes as readonly { readonly content?: { readonly textSha256?: unknown; readonly modelSha256?: unknown } }[]).flatMap(({ content }) =>
    content === undefined ? [] : [text(content.textSha256), text(content.modelSha256)],
  );
}

function seqsOf(seqs: unknown): readonly number[] {
  return Array.isArray(seqs) ? seqs.filter((seq): seq is number => typeof seq === 'number') : [];
}

function json(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as Readonly<Record<string, unknown>>;
}

/** A hash or name, which must be a plain text: it becomes part of a path. */
function text(value: unknown): string {
  if (typeof value !== 'string' || value.includes('..')) throw new TypeError('not a name');
  return value;
}
