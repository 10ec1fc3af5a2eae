/**
 * How the commands find the plane of their own machine: `$PORTCULLIS_HOME/plane.json`, written by `serve`, readable by its
 * user alone, names the URL and the two files with local tokens. Agents run under the same user, so that what loosens is a
 * separate file, which nobody reads by default.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { makeFolders } from './folder.ts';

/** Longer than any of these files; more is not ours. */
const MAX_FILE_BYTES = 64 * 1024;
const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

export interface Discovery {
  readonly url: string;
  /** Who must be found listening there before a token is sent: this log's plane, which holds this key or one that has replaced it. */
  readonly log: string;
  /** Ed25519, base64 of the 32 raw bytes. */
  readonly publicKey: string;
  /** Files, each with one token. */
  readonly tokens: { readonly responder: string; readonly admin: string };
  readonly pid: number;
  readonly dataDir: string;
  /** RFC 3339. */
  readonly startedAt: string;
}

/** `$PORTCULLIS_HOME`, or `~/.portcullis`. */
export function portcullisHome(env: Readonly<Record<string, string | undefined>>): string {
  const named = env['PORTCULLIS_HOME'];
  return named === undefined || named === '' ? path.join(homedir(), '.portcullis') : path.resolve(named);
}

export function discoveryFile(home: string): string {
  return path.join(home, 'plane.json');
}

/** The plane of this machine; undefined where none is announced or the file is not one of ours. */
export function readDiscovery(home: string): Discovery | undefined {
  const text = readSecret(discoveryFile(home));
  if (text === undefined) return undefined;
  try {
    const read = JSON.parse(text) as unknown;
    return isDiscovery(read) ? read : undefined;
  } catch {
    return undefined;
  }
}

function isDiscovery(value: unknown): value is Discovery {
  const { url, log, publicKey, tokens, pid, dataDir, startedAt } = fieldsOf(value);
  const { responder, admin } = fieldsOf(tokens);
  return [url, log, publicKey, responder, admin, dataDir, startedAt].every((text) => typeof text === 'string') && URL.canParse(url as string) && Number.isInteger(pid);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

export function writeDiscovery(home: string, discovery: Discovery): void {
  writeSecret(discoveryFile(home), `${JSON.stringify(discovery, null, 2)}\n`);
}

/** Takes an announcement back, if it is the one that stands. Processes in containers may have the same id. */
export function removeDiscovery(home: string, { pid, dataDir, startedAt }: Pick<Discovery, 'pid' | 'dataDir' | 'startedAt'>): void {
  const stands = readDiscovery(home);
  if (stands?.pid === pid && stands.dataDir === dataDir && stands.startedAt === startedAt) rmSync(discoveryFile(home), { force: true });
}

/** A small file's text; undefined where it cannot be read. */
export function readSecret(file: string): string | undefined {
  try {
    const bytes = readFileSync(file);
    return bytes.length > MAX_FILE_BYTES ? undefined : bytes.toString('utf8');
  } catch {
    return undefined;
  }
}

/** Replaces a file in one step; nobody else may read it at any moment. */
export function writeSecret(file: string, text: string): void {
  makeFolders(path.dirname(file), OWNER_ONLY_DIRECTORY);
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const descriptor = openSync(temporary, 'wx', OWNER_ONLY);
    try {
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    chmodSync(temporary, OWNER_ONLY);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
