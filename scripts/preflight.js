/**
 * Says in one line what this machine lacks, before an install fails in the middle of something else.
 * Plain JavaScript without dependencies, because it runs before any is there.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const NODE_MINIMUM = [20, 20];

const lacking = [nodeLacks(), gitLacks(), compilerLacks()].filter((line) => line !== null);
if (lacking.length > 0) {
  console.error(`portcullis: this machine lacks ${lacking.join('; ')}.`);
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

/** better-sqlite3 is compiled where no prebuilt binary can be fetched; an install that has it already needs neither. */
function compilerLacks() {
  const built = new URL('../node_modules/better-sqlite3/build/Release/better_sqlite3.node', import.meta.url);
  if (existsSync(built)) return null;
  const missing = [
    ['python3', answers('python3') || answers('python')],
    ['make', answers('make') || answers('gmake')],
    ['a C++ compiler', answers('c++') || answers('g++') || answers('clang++')],
  ].filter(([, there]) => !there);
  if (missing.length === 0 || prebuildsReachable()) return null;
  return `${missing.map(([name]) => name).join(', ')} to compile better-sqlite3, and its prebuilt binaries cannot be reached (\`apt-get install python3 make g++\`)`;
}

/** A HEAD request by curl where there is one; without curl the install itself must find out. */
function prebuildsReachable() {
  if (!answers('curl')) return true;
  try {
    execFileSync('curl', ['-fsIL', '--max-time', '10', '-o', '/dev/null', 'https://github.com/WiseLibs/better-sqlite3/releases'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
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
