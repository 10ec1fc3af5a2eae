/**
 * Says in one line what this machine lacks. It runs first in `prepare`: better-sqlite3 is an optional dependency, so an install that could
 * not compile it still gets this far, and this line stands where two screens of compiler output would.
 * Plain JavaScript without dependencies, because there may be none.
 */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';

/** The oldest line we test on. */
const NODE_MINIMUM = [20, 20];

const lacking = [nodeLacks(), gitLacks(), sqliteLacks()].filter((line) => line !== null);
if (lacking.length > 0) {
  console.error(`portcullis: this machine lacks ${lacking.join('; and ')}.`);
  process.exit(1);
}

function nodeLacks() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantMajor, wantMinor] = NODE_MINIMUM;
  if (major > wantMajor || (major === wantMajor && minor >= wantMinor)) return null;
  return `Node ${NODE_MINIMUM.join('.')} or newer (this is ${process.versions.node}; install it from your distribution or nodejs.org)`;
}

function gitLacks() {
  return answers('git') ? null : 'git (`apt-get install git`, `dnf install git` or `brew install git`)';
}

/** What could have built better-sqlite3, where it is not there. */
function sqliteLacks() {
  try {
    const Database = createRequire(import.meta.url)('better-sqlite3');
    new Database(':memory:').close();
    return null;
  } catch {
    const tools = [
      ['python3', ['python3', 'python']],
      ['make', ['make', 'gmake']],
      ['a C++ compiler', ['c++', 'g++', 'clang++']],
    ];
    const missing = tools.filter(([, commands]) => !commands.some(answers)).map(([name]) => name);
    if (missing.length > 0) return `${missing.join(', ')} to compile better-sqlite3, whose prebuilt binary could not be fetched either (\`apt-get install python3 make g++\`, then install again)`;
    return 'a better-sqlite3 that loads: its build failed (`npm rebuild better-sqlite3 --foreground-scripts` shows why)';
  }
}

function answers(command) {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
