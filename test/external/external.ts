/**
 * What needs more than Node: each check names the program it needs, and is reported as not run where that program is missing. Exits 1
 * where a check that ran failed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { failingIo } from './failing-io.ts';
import { GO_MOD_SOURCES, logByGo } from './go-audit.ts';
import { checkpointByOpenssl } from './openssl.ts';
import { powerLoss } from './power-loss.ts';
import { savesByVim } from './vim.ts';

interface ExternalCheck {
  readonly name: string;
  readonly needs: readonly string[];
  /** A file of a package that has no program of its own. */
  readonly needsFile?: string;
  /** Throws where something does not hold; returns what was seen. */
  readonly run: () => Promise<string> | string;
}

const CHECKS: readonly ExternalCheck[] = [
  { name: "OpenSSL verifies a checkpoint's signature", needs: ['openssl'], run: checkpointByOpenssl },
  { name: "vim's own saves are offered whole, with each of its ways to back up", needs: ['vim'], run: savesByVim },
  { name: "a program of the Go team's packages verifies an exported log, and refuses altered ones", needs: ['go'], needsFile: GO_MOD_SOURCES, run: logByGo },
  { name: 'every system call of the log fails once', needs: ['cc'], run: failingIo },
  { name: 'the power fails at any moment', needs: ['strace'], run: powerLoss },
];

let passed = 0;
let failed = 0;
let skipped = 0;
for (const check of CHECKS) {
  const missing = [...check.needs.filter((program) => !answers(program)), ...(check.needsFile === undefined || existsSync(check.needsFile) ? [] : [check.needsFile])];
  if (missing.length > 0) {
    skipped += 1;
    console.log(`not run  ${check.name}: this machine has no ${missing.join(', ')}`);
    continue;
  }
  try {
    console.log(`ok       ${check.name}: ${await check.run()}`);
    passed += 1;
  } catch (problem) {
    failed += 1;
    console.log(`FAILED   ${check.name}: ${problem instanceof Error ? problem.message : String(problem)}`);
  }
}
console.log(`external: ${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;

function answers(program: string): boolean {
  for (const flag of ['--version', 'version']) {
    try {
      execFileSync(program, [flag], { stdio: 'ignore' });
      return true;
    } catch {
      // The next spelling.
    }
  }
  return false;
}
