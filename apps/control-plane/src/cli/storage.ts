/** The lines of `status` about a disk that is full or broken; none where all is well. */
import type { StatusView } from '../api/views.ts';
import { ago, moment } from './table.ts';

export function storageLines({ storage, unrecorded }: Pick<StatusView, 'storage' | 'unrecorded'>, nowMs: number): readonly string[] {
  return [
    ...(storage.problem === null ? [] : [`NOT RECORDING: ${storage.problem}`]),
    ...(unrecorded === null ? [] : [`NOT IN FORCE: changes of ${files(unrecorded.documents)}, not recorded since ${moment(unrecorded.sinceMs)} (${ago(unrecorded.sinceMs, nowMs)}): ${unrecorded.reason}`]),
    ...(storage.ballast ? [] : [NO_BALLAST]),
  ];
}

/** Said at the start, too. */
export const NO_BALLAST = 'No ballast: if the disk of the data directory fills up, restrictions cannot be recorded either. It is laid when 128 MiB are free.';

function files(count: number): string {
  return count === 1 ? '1 file' : `${count} files`;
}
