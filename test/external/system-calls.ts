/** What a process did to the files below one folder, from `strace`: the calls that change a disk, and what it printed, in order. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export type DiskCall =
  | { readonly kind: 'open'; readonly fd: number; readonly path: string; readonly create: boolean; readonly truncate: boolean }
  | { readonly kind: 'close'; readonly fd: number }
  /** Without an offset: where the last one ended. */
  | { readonly kind: 'write'; readonly fd: number; readonly bytes: Buffer; readonly offset: number | undefined }
  | { readonly kind: 'truncate'; readonly fd: number; readonly size: number }
  | { readonly kind: 'sync'; readonly fd: number }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'printed'; readonly text: string };

const TRACED = 'open,openat,creat,close,write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,ftruncate,fallocate,mkdir,mkdirat,unlink,unlinkat,rename,renameat,renameat2,link,linkat';
/** Longer than any write of the plane but that of the ballast, whose bytes mean nothing. */
const MAX_STRING = 1024 * 1024;

/** Runs the command under strace, to its end. Throws where it fails. Only its main thread is traced: SQLite and synchronous files are there. */
export function traced(command: readonly string[], tracePath: string, env: NodeJS.ProcessEnv): readonly DiskCall[] {
  execFileSync('strace', ['-xx', '-s', String(MAX_STRING), '-e', `trace=${TRACED}`, '-e', 'signal=none', '-o', tracePath, ...command], { env, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 * 1024 * 1024 });
  return readFileSync(tracePath, 'latin1').split('\n').flatMap(callOf);
}

function callOf(line: string): readonly DiskCall[] {
  const [, name = '', list = '', result = '-1'] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(line) ?? [];
  const args = list.split(', ');
  const [first = '', second = '', third = '', fourth = ''] = args;
  const code = Number(result);
  if (code < 0) return [];
  switch (name) {
    case 'open':
      return [opened(code, first, second)];
    case 'openat':
      return [opened(code, second, third)];
    case 'close':
      return [{ kind: 'close', fd: Number(first) }];
    case 'write':
      return first === '1' ? [{ kind: 'printed', text: bytesOf(second).toString('utf8') }] : [{ kind: 'write', fd: Number(first), bytes: writtenOf(second, code), offset: undefined }];
    case 'pwrite64':
      return [{ kind: 'write', fd: Number(first), bytes: writtenOf(second, code), offset: Number(fourth) }];
    case 'ftruncate':
      return [{ kind: 'truncate', fd: Number(first), size: Number(second) }];
    case 'fsync':
    case 'fdatasync':
      return [{ kind: 'sync', fd: Number(first) }];
    case 'mkdir':
      return [{ kind: 'folder', path: textOf(first) }];
    case 'unlink':
      return [{ kind: 'remove', path: textOf(first) }];
    case 'unlinkat':
      return [{ kind: 'remove', path: textOf(second) }];
    case 'rename':
      return [{ kind: 'rename', from: textOf(first), to: textOf(second) }];
    case '':
      return [];
    default:
      throw new Error(`the trace holds ${name}, which this check does not know: ${line.slice(0, 200)}`);
  }
}

function opened(fd: number, path: string, flags: string): DiskCall {
  return { kind: 'open', fd, path: textOf(path), create: flags.includes('O_CREAT'), truncate: flags.includes('O_TRUNC') };
}

/** The bytes of a write; zeros for one that is longer than the trace shows. */
function writtenOf(hexString: string, length: number): Buffer {
  return hexString.endsWith('...') ? Buffer.alloc(length) : bytesOf(hexString).subarray(0, length);
}

/** `"\x2f\x74"` */
function bytesOf(hexString: string): Buffer {
  if (!/^"(\\x[0-9a-f]{2})*"$/.test(hexString)) throw new Error(`the trace cuts a string short: ${hexString.slice(0, 40)}…${hexString.slice(-10)}`);
  return Buffer.from(hexString.slice(1, -1).replaceAll('\\x', ''), 'hex');
}

function textOf(hexString: string): string {
  return bytesOf(hexString).toString('utf8');
}
