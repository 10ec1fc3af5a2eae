/** Whether the folder that everything rests on can be used by this user, and by nobody else. */
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { ok, warning, wrong } from './finding.ts';
import type { Finding } from './finding.ts';

/** Last good versions and counters need little; below this the next write may fail. */
const LITTLE_FREE_BYTES = 16 * 1024 * 1024;
/** Bits of a mode that give something to other users. */
const [OTHERS_READ, OTHERS_WRITE] = [0o077, 0o022];

/** Looks at `$PORTCULLIS_HOME` and the files of the enrolment in it. */
export function examineFolder(home: string): readonly Finding[] {
  const found = statSync(home, { throwIfNoEntry: false });
  if (found === undefined) return [wrong('folder', `${home} does not exist: this host is not enrolled, or PORTCULLIS_HOME is not what it was when it joined`)];
  if (!found.isDirectory()) return [wrong('folder', `${home} is not a directory: PORTCULLIS_HOME names the directory that holds the enrolment`)];
  const findings = [...examineOwner(home, found), ...examineKey(join(home, 'host.key')), ...examineMode(home, found), ...examineWriting(home)];
  return findings.length === 0 ? [ok('folder', `${home} can be used, by this user alone`)] : findings;
}

function examineOwner(home: string, found: Stats): readonly Finding[] {
  const user = process.getuid?.();
  if (user === undefined || found.uid === user) return [];
  return [wrong('folder', `${home} belongs to user ${found.uid} and this is user ${user}: proxies must run as the user that joined (was \`join\` run with sudo?)`)];
}

function examineMode(home: string, found: Stats): readonly Finding[] {
  // Windows has no such bits.
  if (process.getuid === undefined) return [];
  if ((found.mode & OTHERS_WRITE) !== 0) return [wrong('folder', `other users may write to ${home}, and could exchange the enrolment: chmod 700 ${home}`)];
  return (found.mode & OTHERS_READ) === 0 ? [] : [warning('folder', `other users may look into ${home}: chmod 700 ${home}`)];
}

function examineKey(key: string): readonly Finding[] {
  const found = statSync(key, { throwIfNoEntry: false });
  if (found === undefined || process.getuid === undefined || (found.mode & OTHERS_READ) === 0) return [];
  return [wrong('folder', `other users may read the host's key: chmod 600 ${key}, and join anew if anybody did`)];
}

function examineWriting(home: string): readonly Finding[] {
  const trial = join(home, `.doctor-${process.pid}`);
  try {
    writeFileSync(trial, 'x', { mode: 0o600 });
    rmSync(trial);
    const { bavail, bsize } = statfsSync(home);
    return bavail * bsize >= LITTLE_FREE_BYTES ? [] : [warning('folder', `the disk that holds ${home} is almost full: what is to be enforced can soon not be stored, and calls that count are denied`)];
  } catch (error) {
    return [wrong('folder', `${home} cannot be written to (${error instanceof Error ? error.message : String(error)}): what is enforced could not be kept, and calls that count are denied`)];
  }
}
