/** Bytes from a source into a framing, as fast as everything that may come of them is taken, and out to the last byte. */
import type { Readable, Writable } from 'node:stream';
import type { createFraming } from './framing.ts';

/** How long the agent may take to read the last answers. */
const FLUSH_MS = 5_000;

export interface Sink {
  readonly sink: Writable;
  /** Whether the source must wait for this sink. */
  readonly full: () => boolean;
}

/** Feeds the framing from the source, as fast as all sinks take what comes of it. */
export function pump(source: Readable, framing: ReturnType<typeof createFraming>, sinks: readonly Sink[]): { stop(): void } {
  let stopped = false;
  const isOpen = ({ sink }: Sink): boolean => !sink.destroyed && !sink.writableEnded;
  const resumeWhenFree = (): void => {
    if (!stopped && !sinks.some((one) => isOpen(one) && one.full())) source.resume();
  };
  // All lines of one chunk leave in one write.
  const together = (act: () => void): void => {
    for (const { sink } of sinks) sink.cork();
    act();
    for (const { sink } of sinks) sink.uncork();
  };
  const onData = (chunk: Buffer): void => {
    together(() => framing.push(chunk));
    if (sinks.some((one) => isOpen(one) && one.full())) source.pause();
  };
  const onEnd = (): void => together(() => framing.end());
  for (const { sink } of sinks) {
    sink.on('drain', resumeWhenFree);
    sink.on('close', resumeWhenFree);
  }
  source.on('data', onData);
  source.once('end', onEnd);
  return {
    stop() {
      stopped = true;
      source.off('data', onData);
      source.off('end', onEnd);
      source.pause();
      for (const { sink } of sinks) {
        sink.off('drain', resumeWhenFree);
        sink.off('close', resumeWhenFree);
      }
    },
  };
}

/** Waits until everything is handed to the system, as far as somebody reads it. */
export async function flush(stdout: Writable): Promise<void> {
  if (!stdout.writable) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, FLUSH_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    stdout.once('error', done);
    stdout.write('', done);
  });
}
