/** `portcullis schema`: the JSON Schema of a policy text, for editors. */
import { policySchema } from '@portcullis/policy-core';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import type { Terminal } from './terminal.ts';

export function schema(terminal: Terminal): ExitCode {
  terminal.out(JSON.stringify(policySchema(), null, 2));
  return EXIT.ok;
}
