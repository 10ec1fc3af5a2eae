/** The bridge as a program, under a policy that allows everything: `tsx bridge-program.ts URL`. */
import { runHttpBridge } from '../../apps/proxy/src/http/bridge.ts';
import { DEFAULT_LIMITS } from '../../apps/proxy/src/relay/limits.ts';
import { createPolicyGate } from '../relay/policy-gate.ts';

const { stdin, stdout } = process;
const status = await runHttpBridge({ target: { url: new URL(process.argv.at(-1) ?? ''), headers: {} }, gate: createPolicyGate('version: "1"\n'), stdin, stdout, limits: DEFAULT_LIMITS });
process.exit(status.code);
