/**
 * Intercept's wire vectors: one raw line at a time through the whole session. `same` cases decide the same; `harden` cases
 * are holes of Intercept and are refused. Where we differ from `same` we are stricter, and say why here.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createPolicyGate } from './policy-gate.ts';
import { wire } from './wired.ts';

interface WireCase {
  readonly id: string;
  readonly policy: string;
  readonly line: string;
  readonly expect: { readonly outcome: 'allowed' | 'denied' | 'forwarded-other' | 'forwarded-unevaluated' | 'forwarded-unparsed'; readonly response?: string };
  readonly compat: 'same' | 'harden';
}

const cases = JSON.parse(readFileSync(join(import.meta.dirname, '../vectors/intercept/wire.json'), 'utf8')) as WireCase[];

const STRICTER: ReadonlyMap<string, string> = new Map([
  ['call-duplicate-name-last-wins-2', 'a parser that keeps the first key calls another tool (P2)'],
  ['call-duplicate-argument-last-wins', 'a parser that keeps the first key pays another amount (P2)'],
  ['call-null-method', 'neither a request nor an answer; nobody is asked for anything (P2)'],
  ['method-number', 'a server that looks handlers up by key takes ["tools/call"] for "tools/call", so a method is a string (P2)'],
]);

describe('Intercept: wire.json', () => {
  it('has all its cases', () => expect(cases.length).toBe(49));

  it.each(cases.map((one) => [one.compat, one.id, one] as const))('[P2] %s %s', (_compat, _id, { id, policy, line, expect: wanted, compat }) => {
    const { gate, ...wired } = wire(createPolicyGate(policy));
    const heard = wired.fromClient(Buffer.from(`${line}\n`));
    const forwarded = heard.toServer.length > 0;

    if (forwarded) expect(heard).toEqual({ toServer: [line], toClient: [] });
    if (compat === 'harden' || STRICTER.has(id)) {
      expect(forwarded).toBe(false);
      expect(gate.refused.length).toBe(1);
    } else {
      expect(forwarded).toBe(wanted.outcome !== 'denied');
    }
    if (compat === 'same' && wanted.response !== undefined && gate.refused.length === 0 && id !== 'call-hidden') {
      // The denial that the agent sees is Intercept's, under our prefix.
      const theirs = JSON.parse(wanted.response.replace('[INTERCEPT POLICY DENIED]', '[POLICY DENIED]')) as unknown;
      expect(JSON.parse(heard.toClient[0] ?? '')).toEqual(theirs);
    }
  });
});
