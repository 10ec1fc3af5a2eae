/**
 * One announcement for one home, for as long as its plane runs: a second plane would turn this machine's commands, and a lockdown among them, to the
 * wrong fleet; an announcement that vanished would leave them without any.
 */
import { readDiscovery, removeDiscovery, writeDiscovery } from './discovery.ts';
import type { Discovery } from './discovery.ts';
import { isDataDirectoryLocked } from './log/lock.ts';

/** A command that is typed again finds the plane. */
const LOOK_MS = 2_000;

/** The announced plane of another data directory, if it runs: what is announced may also be left of one that was killed. */
export function otherPlane(home: string, dataDir: string): Discovery | undefined {
  const announced = readDiscovery(home);
  return announced !== undefined && announced.dataDir !== dataDir && isDataDirectoryLocked(announced.dataDir) ? announced : undefined;
}

/** Announces a plane and sees to it that the announcement stays; what it gives takes it back. Throws where it cannot be written at first. */
export function keepDiscovery(home: string, discovery: Discovery, complain: (text: string) => void, everyMs = LOOK_MS): () => void {
  writeDiscovery(home, discovery);
  let complained = false;
  const look = (): void => {
    const announced = readDiscovery(home);
    if (announced !== undefined && isSame(announced, discovery)) return;
    const other = otherPlane(home, discovery.dataDir);
    try {
      if (other === undefined) writeDiscovery(home, discovery);
    } catch (error) {
      if (!complained) complain(`This machine's commands do not find this plane: its announcement in ${home} is gone and cannot be written again (${error instanceof Error ? error.message : String(error)}).`);
      complained = true;
      return;
    }
    if (other !== undefined && !complained) complain(`This machine's commands do not find this plane: ${home} now announces the one at ${other.url}. Give each plane a home of its own with PORTCULLIS_HOME.`);
    complained = other !== undefined;
  };
  const timer = setInterval(look, everyMs);
  return () => {
    clearInterval(timer);
    removeDiscovery(home, discovery);
  };
}

function isSame(left: Discovery, right: Discovery): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
