/** `tail` over a plane that comes and goes. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decisionRow, openApi } from '../../../../test/api/open-api.ts';
import type { ApiWorld } from '../../../../test/api/open-api.ts';
import { operators } from '../../../../test/api/operate.ts';
import type { Operators, Said } from '../../../../test/api/operate.ts';
import { until } from '../../../../test/world/process.ts';

let world: ApiWorld;
let by: Operators;
beforeEach(async () => {
  world = openApi();
  by = await operators(world);
  enrol('h1', 'devbox');
});
afterEach(async () => {
  await by.close();
  world.close();
});

const PATIENCE_MS = 20_000;

function enrol(host: string, name: string): void {
  const meta = { nowMs: world.now, actor: { kind: 'plane', id: 'plane' }, auth: { method: 'none', ref: null }, reason: null, idem: null, cause: null } as const;
  const token = `t-${host}`;
  world.plane.execute({ kind: 'create-join-token', token, secretSha256: '0'.repeat(64), labels: {}, expiresAtMs: world.now + 1_000 }, meta);
  const enrolled = world.plane.execute({ kind: 'enrol', token, secretSha256: '0'.repeat(64), host, name, publicKey: Buffer.alloc(32, host).toString('base64') }, meta);
  expect(enrolled).toMatchObject({ ok: true });
}

/** A tail that runs until `stop`; `out` and `err` are what it has said so far. */
function tailing(...args: readonly string[]) {
  const stopping = new AbortController();
  const out: string[] = [];
  const err: string[] = [];
  const running = by.operate('viewer', ['tail', ...args], { signal: stopping.signal, out: (text) => void out.push(text), err: (text) => void err.push(text) });
  return { out, err, stop: (): Promise<Said> => (stopping.abort(), running), running };
}

/** As the real store does: kept, then told. */
function arrive(...ids: readonly number[]): void {
  const rows = ids.map((id) => decisionRow(id, { atMs: Date.UTC(2026, 0, 5, 12, 0, 0, id) }));
  world.decisions.rows.unshift(...rows.toReversed());
  world.decisions.arrive(rows);
}

/** Until the stream is open nobody listens; what arrived before is the past. */
async function listening(shown: readonly string[], id: number): Promise<void> {
  await until('the stream', () => {
    world.decisions.arrive([decisionRow(id, { name: 'probe' })]);
    return shown.length > 0;
  }, PATIENCE_MS, 50);
}

describe('tail', () => {
  it('goes on where it was when the plane comes back: every decision once, in order, with what was reported meanwhile', async () => {
    arrive(1, 2);
    const { out, err, stop } = tailing('--json');
    await listening(out, 3);
    const ids = () => out.map((line) => (JSON.parse(line) as { readonly id: number }).id);
    arrive(4);
    await until('a decision', () => ids().includes(4), PATIENCE_MS);
    for (const [missed, later] of [[[5, 6, 7], 8], [[9], 10]] as const) {
      await by.away();
      arrive(...missed);
      await until('the loss to be noticed', () => err.some((line) => line.includes('went away')), PATIENCE_MS);
      await by.back();
      await until('what was missed', () => ids().includes(missed.at(-1) ?? 0), PATIENCE_MS);
      arrive(later);
      await until('what came later', () => ids().includes(later), PATIENCE_MS);
    }
    // What was there before it began is not asked for: that is --last.
    expect(ids()).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
    expect(err.filter((line) => line === 'The plane is back.')).toHaveLength(2);
    expect(await stop()).toMatchObject({ code: 0 });
  });

  it('asks for nothing of the past where nothing had come before the plane went away', async () => {
    arrive(1, 2);
    const { query } = world.decisions;
    let asked = false;
    world.decisions.query = (what) => ((asked = true), query(what));
    const { out, err, stop } = tailing('--json');
    await until('the question how far the past goes', () => asked, PATIENCE_MS);
    // Its answer is on the way.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await by.away();
    arrive(3);
    await until('the loss to be noticed', () => err.length > 0, PATIENCE_MS);
    await by.back();
    await until('what was missed', () => out.length > 0, PATIENCE_MS);
    expect(out.map((line) => (JSON.parse(line) as { readonly id: number }).id)).toEqual([3]);
    expect(await stop()).toMatchObject({ code: 0 });
  });

  it('shows the whole moment with its zone and hosts by name, one that joined since too', async () => {
    const { out, stop } = tailing();
    await listening(out, 1);
    enrol('h2', 'laptop');
    world.decisions.arrive([decisionRow(2, { host: 'h2', atMs: Date.UTC(2026, 0, 5, 12, 0, 0, 7), name: 'x'.repeat(120) }), decisionRow(3)]);
    await until('both', () => out.length >= 3, PATIENCE_MS);
    expect(out[1]).toMatch(/^2026-01-05 12:00:00\.007Z {2}ALLOW {2}laptop\/files {2}tool\n {4}│ x+\n {4}│ x+$/);
    expect(out[2]).toContain('devbox/files');
    expect((await stop()).code).toBe(0);
  });

  it('takes a host by its name or id, and says which there are where there is none such', async () => {
    const unknown = await by.operate('viewer', ['tail', '--host', 'devbxo']);
    expect(unknown.code).toBe(1);
    expect(unknown.err).toContain('h1 (devbox)');
    const { out, stop } = tailing('--host', 'devbox', '--json');
    await listening(out, 1);
    world.decisions.arrive([decisionRow(2, { host: 'h9' }), decisionRow(3)]);
    await until('the one', () => out.length >= 2, PATIENCE_MS);
    expect(out.map((line) => (JSON.parse(line) as { readonly id: number }).id)).toEqual([1, 3]);
    await stop();
  });

  it('waits for no plane that was never there, and for none that answers no', async () => {
    await by.away();
    expect((await by.operate('viewer', ['tail'])).code).toBe(3);
    await by.back();
    const { out, running } = tailing();
    await listening(out, 1);
    const token = [...world.plane.state().operatorTokens.values()].find(({ role }) => role === 'viewer')?.token ?? '';
    await by.away();
    await world.ask('admin', 'POST', `/v1/tokens/${token}/revoke`, {});
    await by.back();
    expect((await running).code).toBe(4);
  });
});
