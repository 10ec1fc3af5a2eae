/**
 * Whether this process could read the secrets of the plane that it obeys: then so could the agents that it guards, which run under the same
 * user, and an admin token in their hands lifts every restriction.
 */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A plane announces itself in a file of some hundred bytes; more is not one of ours. */
const MAX_ANNOUNCEMENT_BYTES = 64 * 1024;

/** The admin token's file, where the plane of this log announced itself to this user and the file can be read; null otherwise. */
export function readableAdminToken(home: string, log: string): string | null {
  for (const place of new Set([home, join(homedir(), '.portcullis')])) {
    const file = adminTokenFile(join(place, 'plane.json'), log);
    if (file !== null && isReadable(file)) return file;
  }
  return null;
}

function adminTokenFile(announcement: string, log: string): string | null {
  try {
    if (statSync(announcement).size > MAX_ANNOUNCEMENT_BYTES) return null;
    const read = JSON.parse(readFileSync(announcement, 'utf8')) as { readonly log?: unknown; readonly tokens?: { readonly admin?: unknown } } | null;
    const admin = read?.tokens?.admin;
    return read?.log === log && typeof admin === 'string' ? admin : null;
  } catch {
    return null;
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
