/**
 * The least that a reload could cost on this machine: a bare fs.watch event, one durable SQLite append, one WebSocket round trip to
 * another process. The other process is this file again, run with `--echo`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, watch, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { WebSocket, WebSocketServer } from 'ws';

/** As large as a small policy, so that the append writes about what a real one writes. */
const ENTRY_BYTES = 1_500;

if (process.argv.includes('--echo')) {
  const socket = new WebSocket(process.argv.at(-1) ?? '');
  socket.on('message', (data) => socket.send(data as Buffer));
  socket.on('close', () => process.exit(0));
}

/** Milliseconds from the end of each write to the end of its round trip. */
export async function measureFloor(directory: string, rounds: number, save: 'rename' | 'in place'): Promise<readonly number[]> {
  const watched = join(directory, `floor-${save.replace(' ', '-')}`);
  mkdirSync(watched, { recursive: true });
  const database = new Database(join(directory, `floor-${save.replace(' ', '-')}.db`));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('CREATE TABLE entries(seq INTEGER PRIMARY KEY, entry TEXT NOT NULL)');
  const append = database.prepare('INSERT INTO entries(entry) VALUES (?)');
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const echo = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), '--echo', url], { stdio: 'ignore' });
  const [socket] = (await once(server, 'connection')) as [WebSocket];

  const path = join(watched, 'policy.yaml');
  writeFileSync(path, 'x');
  const took: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const seen = nextEvent(watched, 'policy.yaml');
    const text = `${String(round).padStart(8)}${'x'.repeat(ENTRY_BYTES)}`;
    if (save === 'rename') {
      writeFileSync(join(watched, '.tmp'), text);
      renameSync(join(watched, '.tmp'), path);
    } else writeFileSync(path, text);
    const written = performance.now();
    await seen;
    append.run(text);
    socket.send(text);
    await once(socket, 'message');
    took.push(performance.now() - written);
  }
  echo.kill();
  server.close();
  database.close();
  return took;
}

function nextEvent(directory: string, name: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(directory, (_event, file) => {
      if (file !== name) return;
      watcher.close();
      resolve();
    });
  });
}
