import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Offer } from '@portcullis/policy-files';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { policyFor } from '../../../test/domain/story.ts';
import type { GitFacts } from './domain/events.ts';
import { createOffering } from './offering.ts';
import type { Offering } from './offering.ts';
import { openPlane } from './plane.ts';
import type { Plane } from './plane.ts';
import { FIRST_RETRY_MS, LAST_RETRY_MS } from './put-again.ts';

const FULL = { ok: false, refusal: { code: 'unavailable', message: 'the disk is full' } } as const;

let folder: string;
let plane: Plane;
let offering: Offering;
let full: boolean;
let puts: number;
/** Questions to git that nobody has answered yet, the oldest first. */
let asked: ((facts: GitFacts | null) => void)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-offering-'));
  const opened = openPlane({ dataDir: join(folder, 'data'), now: () => 1_000 });
  if (!opened.ok) throw new Error(opened.problem);
  ({ plane } = opened);
  full = false;
  puts = 0;
  asked = [];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  offering = createOffering({
    plane: { ...plane, execute: (...command) => (puts++, full ? FULL : plane.execute(...command)) },
    removals: 'wait',
    git: () => new Promise((resolve) => asked.push(resolve)),
    now: () => 5_000,
    onPut: () => undefined,
    complain: () => undefined,
    onBug: (error) => {
      throw error;
    },
  });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const answer of asked) answer(null);
  await offering.close();
  plane.close();
  rmSync(folder, { recursive: true, force: true });
});

function offerOf(n: number): Offer {
  const bytes = Buffer.from(policyFor('a', n));
  const documents = new Map([['a.yaml', { kind: 'content', bytes, sha256: createHash('sha256').update(bytes).digest('hex') } as const]]);
  return { at: n, settledFor: 0, documents, changed: new Set(documents.keys()), removed: new Set(), unlisted: new Map() };
}

/** Git answers about the oldest offer, which is then put to the plane. */
async function answerGit(): Promise<void> {
  const before = puts;
  asked.shift()?.(null);
  while (puts === before) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

const inForce = (): string | null | undefined => plane.policies().get('a.yaml')?.description;

describe('an offer that the plane cannot take', () => {
  it('[F1] never comes back over a newer one that it took', async () => {
    full = true;
    offering.put(offerOf(1));
    offering.put(offerOf(2));
    await answerGit();
    full = false;
    await answerGit();
    expect(inForce()).toBe('2');
    await vi.advanceTimersByTimeAsync(3 * LAST_RETRY_MS);
    expect(asked).toHaveLength(0);
    expect([inForce(), offering.unrecorded()]).toEqual(['2', undefined]);
  });

  it('[F1] is put again, later each time, until it is taken or another comes', async () => {
    full = true;
    offering.put(offerOf(1));
    await answerGit();
    for (let delayMs = FIRST_RETRY_MS; delayMs < LAST_RETRY_MS; delayMs *= 2) {
      await vi.advanceTimersByTimeAsync(delayMs - 1);
      expect(asked).toHaveLength(0);
      await vi.advanceTimersByTimeAsync(1);
      expect(asked).toHaveLength(1);
      await answerGit();
    }
    expect(offering.unrecorded()).toEqual({ documents: 1, sinceMs: 5_000, reason: 'the disk is full' });
    offering.put(offerOf(2));
    await answerGit();
    full = false;
    await vi.advanceTimersByTimeAsync(LAST_RETRY_MS);
    await answerGit();
    expect([inForce(), offering.unrecorded()]).toEqual(['2', undefined]);
    await vi.advanceTimersByTimeAsync(3 * LAST_RETRY_MS);
    expect(asked).toHaveLength(0);
  });

  it('is not put again once the offering is closed', async () => {
    full = true;
    offering.put(offerOf(1));
    await answerGit();
    await offering.close();
    await vi.advanceTimersByTimeAsync(3 * LAST_RETRY_MS);
    expect(asked).toHaveLength(0);
  });
});
