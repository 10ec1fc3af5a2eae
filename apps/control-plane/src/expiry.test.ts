/** Restrictions end by events that the plane records at their time, also for those that ran out while it was down. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { expireRestrictions } from './expiry.ts';
import { openPlane } from './plane.ts';
import type { Plane } from './plane.ts';

let directory: string;
let plane: Plane;
const START = Date.UTC(2026, 0, 5, 12);

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  directory = mkdtempSync(join(tmpdir(), 'portcullis-expiry-'));
  const opened = openPlane({ dataDir: directory, now: () => Date.now() });
  if (!opened.ok) throw new Error(opened.problem);
  ({ plane } = opened);
});
afterEach(() => {
  plane.close();
  vi.useRealTimers();
  rmSync(directory, { recursive: true, force: true });
});

function impose(server: string, ttlMs: number | null): void {
  const done = plane.execute(
    { kind: 'restrict', selector: { server: [server], labels: {} }, tools: null, readOnly: false, expiresAtMs: ttlMs === null ? null : Date.now() + ttlMs },
    { nowMs: Date.now(), actor: { kind: 'operator', id: 'x' }, auth: { method: 'none', ref: null }, reason: 'drill', idem: null, cause: null },
  );
  expect(done.ok).toBe(true);
}

it('names what was imposed as the cause of its end', () => {
  const expiry = expireRestrictions(plane, () => Date.now());
  impose('a', 10_000);
  const imposed = plane.history.at(plane.state().size - 1);
  vi.advanceTimersByTime(10_000);
  expect(plane.history.at(plane.state().size - 1)).toMatchObject({ event: { type: 'RestrictionExpired' }, actor: { kind: 'plane' }, cause: imposed?.id });
  expiry.close();
});

it('ends each restriction at its own time and no other', () => {
  impose('a', 60_000);
  const expiry = expireRestrictions(plane, () => Date.now());
  impose('b', 10_000);
  impose('c', null);
  impose('d', 60 * 24 * 3_600_000);
  const left = () => [...plane.state().restrictions.values()].map(({ restriction }) => restriction.selector.server[0]);
  vi.advanceTimersByTime(9_999);
  expect(left()).toEqual(['a', 'b', 'c', 'd']);
  vi.advanceTimersByTime(1);
  expect(left()).toEqual(['a', 'c', 'd']);
  vi.advanceTimersByTime(50_000);
  expect(left()).toEqual(['c', 'd']);
  vi.advanceTimersByTime(59 * 24 * 3_600_000);
  expect(left()).toEqual(['c', 'd']);
  vi.advanceTimersByTime(24 * 3_600_000);
  expect(left()).toEqual(['c']);
  expiry.close();
});

it('ends at the start what ran out meanwhile, and nothing after it was closed', () => {
  impose('a', 1_000);
  vi.setSystemTime(START + 5_000);
  const expiry = expireRestrictions(plane, () => Date.now());
  vi.advanceTimersByTime(0);
  expect(plane.state().restrictions.size).toBe(0);
  impose('b', 1_000);
  expiry.close();
  vi.advanceTimersByTime(60_000);
  expect(plane.state().restrictions.size).toBe(1);
});
