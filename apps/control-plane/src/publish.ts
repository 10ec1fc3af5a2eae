/**
 * From a settled directory to a command: documents that are in force already are taken as they are, documents that were judged
 * before keep their judgement, and only what changed is parsed and tested. One offer is published at a time; while git is asked
 * about one, the newest of those that arrive waits, and the others, being older states of the same directory, are passed over.
 */
import { canonicalJson, digestOf, judgeDocument } from '@portcullis/policy-core';
import type { Policy } from '@portcullis/policy-core';
import type { Offer, OfferedFile } from '@portcullis/policy-files';
import type { OfferCommand } from './domain/commands/answer.ts';
import type { OfferedDocument } from './domain/command.ts';
import type { GitFacts } from './domain/events.ts';
import type { PlaneState } from './domain/state.ts';
import type { ChangedFiles } from './git.ts';
import type { Contents, Executed, Plane } from './plane.ts';

type Content = Extract<OfferedFile, { kind: 'content' }>;

/** A judgement, good for as long as the file has these bytes. */
interface Judged {
  readonly sha256: string;
  readonly document: OfferedDocument;
  /** Canonical JSON of the normalised policy; null where there is none. */
  readonly model: Buffer | null;
}

/** The newest judgement of each document of the directory. */
export type Judgements = Map<string, Judged>;

export interface InForce {
  readonly state: PlaneState;
  readonly policies: ReadonlyMap<string, Policy>;
}

export interface Prepared {
  readonly documents: OfferCommand['documents'];
  readonly contents: Contents;
  /** What may come into force or go, for git. */
  readonly changed: ChangedFiles;
}

/** Judges what is new in an offer. `judgements` is brought up to date. */
export function prepareOffer(offer: Offer, judgements: Judgements, { state, policies }: InForce): Prepared {
  const documents = new Map<string, OfferedDocument>();
  const contents = new Map<string, Buffer>();
  const changed = new Map<string, Uint8Array | null>();
  for (const [id, file] of offer.documents) {
    if (file.kind === 'unreadable') {
      documents.set(id, file);
      continue;
    }
    const inForce = asInForce(id, file, state, policies);
    if (inForce !== undefined) {
      documents.set(id, inForce);
      continue;
    }
    const judged = judgementOf(id, file, judgements);
    documents.set(id, judged.document);
    if (judged.document.kind !== 'valid' || judged.model === null) continue;
    changed.set(id, file.bytes);
    contents.set(judged.document.textSha256, file.bytes).set(judged.document.modelSha256, judged.model);
  }
  for (const id of judgements.keys()) if (!offer.documents.has(id)) judgements.delete(id);
  for (const id of state.policies.keys()) {
    if (documents.has(id)) continue;
    const unlisted = [...offer.unlisted].find(([prefix]) => id.startsWith(prefix));
    // Nobody could look, so nobody can say that it is gone (F3).
    if (unlisted === undefined) changed.set(id, null);
    else documents.set(id, { kind: 'unreadable', problem: { ...unlisted[1], file: id } });
  }
  return { documents, contents, changed };
}

function asInForce(id: string, file: Content, state: PlaneState, policies: ReadonlyMap<string, Policy>): OfferedDocument | undefined {
  const content = state.policies.get(id)?.content;
  const policy = policies.get(id);
  return content?.textSha256 === file.sha256 && policy !== undefined ? { kind: 'valid', ...content, policy } : undefined;
}

function judgementOf(id: string, file: Content, judgements: Judgements): Judged {
  const known = judgements.get(id);
  if (known?.sha256 === file.sha256) return known;
  const judged = judge(id, file);
  judgements.set(id, judged);
  return judged;
}

function judge(id: string, { bytes, sha256 }: Content): Judged {
  const { ok, policy, problems } = judgeDocument({ id, bytes });
  if (!ok || policy === null) return { sha256, document: { kind: 'invalid', textSha256: sha256, problems }, model: null };
  const model = Buffer.from(canonicalJson(policy));
  const document = { kind: 'valid', textSha256: sha256, textBytes: bytes.length, modelSha256: digestOf(model), modelBytes: model.length, policy } as const;
  return { sha256, document, model };
}

export interface PublisherOptions {
  readonly plane: Plane;
  readonly removals: 'wait' | 'accept';
  /** Asked only where something changed; `gitFacts` of the policy directory. */
  readonly git: (changed: ChangedFiles) => Promise<GitFacts | null>;
  readonly now: () => number;
  /** Told after each offer that was put to the plane. */
  readonly onPublished: (executed: Executed, offer: Offer) => void;
  /** Told of a bug; the next offer is tried all the same. */
  readonly onBug: (error: unknown) => void;
}

export interface Publisher {
  publish(offer: Offer): void;
  /** Resolves when nothing is left to publish. */
  idle(): Promise<void>;
}

export function createPublisher({ plane, removals, git, now, onPublished, onBug }: PublisherOptions): Publisher {
  const judgements: Judgements = new Map();
  let waiting: Offer | undefined;
  let running: Promise<void> | undefined;

  const put = async (offer: Offer): Promise<void> => {
    const { documents, contents, changed } = prepareOffer(offer, judgements, { state: plane.state(), policies: plane.policies() });
    const facts = changed.size === 0 ? null : await git(changed);
    const command: OfferCommand = { kind: 'offer', documents, git: facts, removals };
    const meta = { nowMs: now(), actor: { kind: 'files', id: 'directory' }, auth: { method: 'none', ref: null }, reason: null, idem: null, cause: null } as const;
    onPublished(plane.execute(command, meta, contents), offer);
  };

  const drain = async (): Promise<void> => {
    for (let offer = waiting; offer !== undefined; offer = waiting) {
      waiting = undefined;
      try {
        await put(offer);
      } catch (error) {
        onBug(error);
      }
    }
    running = undefined;
  };

  return {
    publish(offer) {
      waiting = offer;
      running ??= drain();
    },
    idle: () => running ?? Promise.resolve(),
  };
}
