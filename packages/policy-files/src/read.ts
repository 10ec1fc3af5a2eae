/** Reading one policy so that the bytes are those of one moment: the file's numbers are the same before and after (F4). */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { fileProblem } from './offer.ts';
import { fileSighting, reasonOf } from './see.ts';
import type { Taken } from './settle.ts';
import type { FileSighting } from './sighting.ts';

/** Policies are written by hand; the log keeps each version for ever. */
export const MAX_POLICY_BYTES = 1024 * 1024;

/** No link is followed here any more, and a pipe put in the file's place must not block. (Windows has neither flag: undefined counts as 0.) */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** It is not what was seen any more; or this process has no descriptor left just now. Both pass: it is looked at again. */
const PASSING: ReadonlySet<string> = new Set(['ENOENT', 'ELOOP', 'ENOTDIR', 'EISDIR', 'ENXIO', 'EMFILE', 'ENFILE', 'ESTALE', 'EBUSY', 'EAGAIN', 'EINTR']);

/** Reads the file that `sighting` describes. `undefined`: it is another one by now, or changed during the reading. */
export async function readPolicy(id: string, sighting: FileSighting): Promise<Taken> {
  if (sighting.size > MAX_POLICY_BYTES) {
    const message = `has ${sighting.size} bytes; a policy has at most ${MAX_POLICY_BYTES}. It was not read`;
    return { file: { kind: 'unreadable', problem: fileProblem(id, 'FILE_TOO_LARGE', message) }, retry: false };
  }
  let handle: FileHandle | undefined;
  try {
    handle = await open(sighting.path, FLAGS);
    const bytes = await readWhole(handle, sighting);
    return bytes === undefined ? undefined : judge(id, bytes);
  } catch (error) {
    const reason = reasonOf(error);
    if (PASSING.has(reason)) return undefined;
    return { file: { kind: 'unreadable', problem: fileProblem(id, 'FILE_UNREADABLE', `cannot be read (${reason}); let the plane's user read it`) }, retry: true };
  } finally {
    await handle?.close();
  }
}

async function readWhole(handle: FileHandle, sighting: FileSighting): Promise<Buffer | undefined> {
  const same = async () => fileSighting(await handle.stat({ bigint: true }), sighting.path).stamp === sighting.stamp;
  if (!(await same())) return undefined;
  // One byte more than it should have: a file that grew is noticed without being read to its end.
  const buffer = Buffer.allocUnsafeSlow(sighting.size + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  if (length !== sighting.size || !(await same())) return undefined;
  return buffer.subarray(0, length);
}

function judge(id: string, bytes: Buffer): Taken {
  if (!isUtf8(bytes)) {
    return { file: { kind: 'unreadable', problem: fileProblem(id, 'FILE_NOT_UTF8', 'is not UTF-8; save it as UTF-8 (a byte order mark does no harm)') }, retry: false };
  }
  return { file: { kind: 'content', bytes, sha256: createHash('sha256').update(bytes).digest('hex') }, retry: false };
}
