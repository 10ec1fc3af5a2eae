/**
 * The relay as a program, with one policy text as its gate: `node proxy-fixture.mjs -- command args…`, policy in POLICY_TEXT.
 * SIGUSR2 puts the policy of POLICY_NEXT in force. With GATE=never there is nothing to judge by, ever. At its end it writes what it was asked to the file RECORD, if that is set.
 */
import { writeFileSync } from 'node:fs';
import { DEFAULT_LIMITS } from '../../apps/proxy/src/relay/limits.ts';
import { runStdioRelay } from '../../apps/proxy/src/relay/stdio.ts';
import { createPolicyGate } from './policy-gate.ts';

const { POLICY_TEXT = 'version: "1"\n', POLICY_NEXT = POLICY_TEXT, RECORD, GATE, ...env } = process.env;
const [command = '', ...args] = process.argv.slice(process.argv.indexOf('--') + 1);
const gate = createPolicyGate(POLICY_TEXT);
process.on('SIGUSR2', () => gate.swap(POLICY_NEXT));
const { stdin, stdout, stderr } = process;
const status = await runStdioRelay({ command, args, gate: GATE === 'never' ? () => new Promise<never>(() => undefined) : gate, stdin, stdout, stderr, env, limits: DEFAULT_LIMITS });
if (RECORD !== undefined) writeFileSync(RECORD, JSON.stringify({ judged: gate.judged, refused: gate.refused, status }));
process.exit(status.code);
