/** The commands that docs/audit.md gives an auditor, run as they stand there: on the log as it was recorded, and on altered ones. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PORTCULLIS, ROOT, run } from '../world/process.ts';
import { alter, recordLog } from './recorded.ts';
import type { RecordedLog } from './recorded.ts';

const page = readFileSync(join(ROOT, 'docs/audit.md'), 'utf8');
const commands = [...page.slice(page.indexOf('## The three commands')).matchAll(/```bash\n([\s\S]*?)```/g)].map(([, command]) => command ?? '');

let log: RecordedLog;
let honest = '';
let key = '';
beforeAll(async () => {
  log = recordLog();
  honest = join(log.folder, 'exported');
  expect(await run(process.execPath, [PORTCULLIS, 'log', 'export', '--data', log.dataDir, '--out', honest], { PORTCULLIS_HOME: log.folder })).toMatchObject({ code: 0 });
  key = join(log.folder, 'key');
  writeFileSync(key, `${/^ {4}(portcullis\.local\S+)$/m.exec(readFileSync(join(honest, 'AUDIT.md'), 'utf8'))![1]!}\n`);
}, 60_000);
afterAll(() => rmSync(log.folder, { recursive: true, force: true }));

/** Exit code of each command, for this directory and this kept checkpoint. */
function codes(directory: string): readonly (number | null)[] {
  return commands.map((command, n) => {
    const scratch = join(log.folder, 'scratch');
    mkdirSync(scratch, { recursive: true });
    // The program is found from its own folder; the others write beside themselves.
    const done = spawnSync('sh', ['-e', '-c', command], { cwd: n === 0 ? ROOT : scratch, env: { ...process.env, LOG: directory, KEY: key, KEPT: log.late, PORTCULLIS_HOME: log.folder }, encoding: 'utf8' });
    return done.status;
  });
}

function altered(change: (directory: string) => void): string {
  const directory = join(log.folder, 'altered');
  rmSync(directory, { recursive: true, force: true });
  cpSync(honest, directory, { recursive: true });
  change(directory);
  return directory;
}

describe('the three commands of an auditor', () => {
  it('are three', () => {
    expect(commands).toHaveLength(3);
  });

  it('[L4] accept the log as it was recorded', () => {
    expect(codes(honest)).toEqual([0, 0, 0]);
  });

  it('[L4] refuse an altered payload', () => {
    const [all, payloads] = codes(altered((at) => appendFileSync(join(at, 'payload', readdirSync(join(at, 'payload'))[3]!), 'x')));
    expect([all, payloads]).toEqual([1, 1]);
  });

  it('[L4] refuse an altered head', () => {
    const [all, , signature] = codes(altered((at) => alter(at, 'checkpoint', (bytes) => Buffer.from(bytes.toString('utf8').replace(`\n${log.size}\n`, `\n${log.size - 1}\n`)))));
    expect([all, signature]).toEqual([1, 1]);
  });
});
