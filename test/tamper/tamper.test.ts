/**
 * Whoever can write the log's files alters them, in every way that docs/audit.md lists; `portcullis log verify`, the real command, is asked
 * without and with a checkpoint that was kept outside. Which alteration needs the checkpoint is part of what is shown. Needs the built plane.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeBundle, decodeBundle, leafHash } from '@portcullis/tlog';
import type Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logVerify } from '../../apps/control-plane/src/cli/audit.ts';
import type { Terminal } from '../../apps/control-plane/src/cli/terminal.ts';
import { firstSeed, random } from '../domain/random.ts';
import { PORTCULLIS, run } from '../world/process.ts';
import { alter, cut, forgeFold, forgeRestoration, intrude, keepFolds, recordLog, rewrite, rewriteAfter } from './recorded.ts';
import type { RecordedLog } from './recorded.ts';

let log: RecordedLog;
let exported = '';
beforeAll(async () => {
  log = recordLog();
  exported = join(log.folder, 'exported');
  expect(await portcullis('log', 'export', '--data', log.dataDir, '--out', exported)).toMatchObject({ code: 0 });
}, 120_000);
afterAll(() => rmSync(log.folder, { recursive: true, force: true }));

interface Answer {
  readonly code: number;
  /** The problems' codes; what was said where there is no such list. */
  readonly found: readonly string[] | string;
}

async function portcullis(...args: readonly string[]): Promise<Answer> {
  const done = await run(process.execPath, [PORTCULLIS, ...args, '--json'], { PORTCULLIS_HOME: join(log.folder, 'home') });
  try {
    const { problems } = JSON.parse(done.stdout) as { readonly problems?: readonly { readonly code: string }[] };
    return { code: done.code, found: [...new Set((problems ?? []).map(({ code }) => code))] };
  } catch {
    return { code: done.code, found: done.stderr };
  }
}

/** Asked without anything from outside, and with the checkpoint that was kept early, and late. */
async function verify(...where: readonly string[]): Promise<{ readonly alone: Answer; readonly early: Answer; readonly late: Answer }> {
  const [alone, early, late] = await Promise.all([portcullis('log', 'verify', ...where), portcullis('log', 'verify', ...where, '--checkpoint', log.early), portcullis('log', 'verify', ...where, '--checkpoint', log.late)]);
  return { alone, early, late };
}

const ok = { code: 0, found: [] };

describe('portcullis log verify', () => {
  it('[L4] accepts the log as it was recorded, as a data directory and as an exported one', async () => {
    expect(await verify('--data', log.dataDir)).toEqual({ alone: ok, early: ok, late: ok });
    expect(await verify(exported)).toEqual({ alone: ok, early: ok, late: ok });
  });

  const SET_ENTRY = 'UPDATE events SET entry = ? WHERE seq = ?';
  const entry = (db: Database.Database, seq: number): string => db.prepare<[number], string>('SELECT entry FROM events WHERE seq = ?').pluck().get(seq)!;
  const renumbered = (text: string, seq: number): string => text.replace(/"seq":\d+/, `"seq":${seq}`);
  const leaf = (text: string): Uint8Array => leafHash(Buffer.from(text));

  /** Each is found by whoever asks, with a checkpoint or without. */
  const IN_THE_DATABASE: readonly (readonly [string, (db: Database.Database) => void, RegExp])[] = [
    ['an entry altered', (db) => db.prepare(SET_ENTRY).run(entry(db, 100).replace('"id":"op"', '"id":"ox"'), 100), /LEAF_WRONG.*ROOT_WRONG/],
    ['an entry and its stored hash altered', (db) => {
      const text = entry(db, 100).replace('"id":"op"', '"id":"ox"');
      db.prepare('UPDATE events SET entry = ?, leaf = ? WHERE seq = 100').run(text, leaf(text));
    }, /ROOT_WRONG/],
    ['an entry of a full tile, its hash and the tile altered', (db) => {
      const text = entry(db, 9).replace('"id":"op"', '"id":"ox"');
      db.prepare('UPDATE events SET entry = ?, leaf = ? WHERE seq = 9').run(text, leaf(text));
      const tile = db.prepare<[], Buffer>('SELECT hashes FROM tiles WHERE level = 0 AND n = 0').pluck().get()!;
      tile.set(leaf(text), 9 * 32);
      db.prepare('UPDATE tiles SET hashes = ? WHERE level = 0 AND n = 0').run(tile);
    }, /ROOT_WRONG/],
    ['an event deleted', (db) => db.exec('DELETE FROM events WHERE seq = 77'), /BUNDLE_MALFORMED|event|ROOT_WRONG/],
    ['an event deleted and the later ones moved up', (db) => {
      for (let seq = 300; seq < log.size - 1; seq++) {
        const text = renumbered(entry(db, seq + 1), seq);
        db.prepare('DELETE FROM events WHERE seq = ?').run(seq + 1);
        db.prepare('UPDATE events SET entry = ?, leaf = ? WHERE seq = ?').run(text, leaf(text), seq);
      }
    }, /BUNDLE|ROOT_WRONG|event/],
    ['two events swapped', (db) => {
      const [a, b] = [renumbered(entry(db, 50), 51), renumbered(entry(db, 51), 50)];
      db.exec('DROP INDEX events_id; DROP INDEX events_idem');
      db.prepare(SET_ENTRY).run(b, 50);
      db.prepare(SET_ENTRY).run(a, 51);
    }, /ROOT_WRONG/],
    ['an event put in at the end', (db) => {
      const text = renumbered(entry(db, log.size - 1), log.size).replace(/"id":"[^"]+"/, '"id":"forged"').replace(/"idem":\{[^}]+\}/, '"idem":null');
      db.prepare('INSERT INTO events(seq, entry, leaf) VALUES (?, ?, ?)').run(log.size, text, leaf(text));
      db.prepare('UPDATE checkpoints SET note = replace(note, ?, ?) WHERE size = ?').run(`\n${log.size}\n`, `\n${log.size + 1}\n`, log.size);
    }, /SIGNATURE_WRONG|signature/],
    ['the last events cut off', (db) => db.exec(`DELETE FROM events WHERE seq >= ${log.size - 5}`), /BUNDLE|event|edge|tile/],
    ['the body of an event altered', (db) => db.exec("UPDATE payloads SET body = CAST('{}' AS BLOB) WHERE sha256 = (SELECT payload FROM events WHERE seq = 30)"), /PAYLOAD_WRONG/],
    ['the body of an event deleted', (db) => db.exec('DELETE FROM payloads WHERE sha256 = (SELECT payload FROM events WHERE seq = 30)'), /PAYLOAD_MISSING/],
    ['a policy text altered', (db) => db.exec("UPDATE payloads SET body = CAST(replace(CAST(body AS TEXT), 'edition', 'Edition') AS BLOB) WHERE sha256 = (SELECT sha256 FROM payloads WHERE CAST(body AS TEXT) LIKE 'version:%' LIMIT 1)"), /PAYLOAD_WRONG/],
    ['a reason altered', (db) => db.exec("UPDATE payloads SET body = CAST('nothing happened' AS BLOB) WHERE sha256 = (SELECT reason FROM events WHERE reason IS NOT NULL LIMIT 1)"), /PAYLOAD_WRONG/],
    ['an event put in after the signed ones', (db) => {
      const text = renumbered(entry(db, log.size - 1), log.size).replace(/"id":"[^"]+"/, '"id":"forged"').replace(/"idem":\{[^}]+\}/, '"idem":null');
      db.prepare('INSERT INTO events(seq, entry, leaf) VALUES (?, ?, zeroblob(32))').run(log.size, text);
    }, /^BEYOND_HEAD$/],
    ['a tile put in after the signed ones', (db) => db.exec('INSERT INTO tiles(level, n, hashes) VALUES (0, 1, zeroblob(8192))'), /^BEYOND_HEAD$/],
    ['a tile altered', (db) => db.exec('UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0 AND n = 0'), /LEAF_WRONG/],
    ['the signed head altered', (db) => db.exec(`UPDATE checkpoints SET note = replace(note, substr(note, instr(note, char(10) || char(10)) - 8, 4), 'AAAA') WHERE size = ${log.size}`), /SIGNATURE_WRONG|signature/],
  ];
  it.each(IN_THE_DATABASE)('[L4] finds in a data directory, by itself: %s', async (_name, act, codes) => {
    const dataDir = log.copy();
    intrude(dataDir, act);
    for (const answer of Object.values(await verify('--data', dataDir))) {
      expect(answer.code).toBe(1);
      expect(String(answer.found)).toMatch(codes);
    }
  });

  it('[L4] finds a cut with the old signed head put back, with a later checkpoint only', async () => {
    const dataDir = log.copy();
    cut(dataDir, log.earlySize);
    expect(await verify('--data', dataDir)).toEqual({ alone: ok, early: ok, late: { code: 1, found: ['ROLLED_BACK'] } });
  });

  it('[L4] finds a history that was rewritten with the stolen key, with a checkpoint only', async () => {
    const forged = join(log.folder, 'forged');
    rewrite(log.dataDir, forged, log.size + 50);
    expect(await verify('--data', forged)).toEqual({ alone: ok, early: { code: 1, found: ['FORKED'] }, late: { code: 1, found: ['FORKED'] } });
    const out = join(log.folder, 'forged-out');
    await portcullis('log', 'export', '--data', forged, '--out', out);
    expect(await verify(out)).toEqual({ alone: ok, early: { code: 1, found: ['FORKED'] }, late: { code: 1, found: ['FORKED'] } });
  });

  it('[L4] finds what was rewritten with the stolen key after a checkpoint, with a later one only', async () => {
    const dataDir = log.copy();
    rewriteAfter(dataDir, log.earlySize, log.size);
    expect(await verify('--data', dataDir)).toEqual({ alone: ok, early: ok, late: { code: 1, found: ['FORKED'] } });
  });

  const keyFile = (): string => {
    const key = /^ {4}(portcullis\.local\S+)$/m.exec(readFileSync(join(exported, 'AUDIT.md'), 'utf8'))![1]!;
    writeFileSync(join(log.folder, 'key'), `${key}\n`);
    return join(log.folder, 'key');
  };

  it('[L4] finds a log that somebody signed with a key of their own, with the key or a checkpoint from elsewhere only', async () => {
    const other = recordLog();
    try {
      const { alone, early } = await verify('--data', other.dataDir);
      expect(alone).toEqual(ok);
      expect(early.code).toBe(1);
      expect(await portcullis('log', 'verify', '--data', other.dataDir, '--key', keyFile())).toMatchObject({ code: 1 });
      expect(await portcullis('log', 'verify', '--data', log.dataDir, '--key', keyFile())).toEqual(ok);
    } finally {
      rmSync(other.folder, { recursive: true, force: true });
    }
  });

  it.each([
    ['unsigned', { statement: 'none' }, ['KEY_UNSIGNED']],
    ['signed with a recovery key that the forged log names itself', { statement: 'own' }, ['FORKED']],
    ['the same, with the forged first event only in a bundle that nobody verifies', { statement: 'own', hidden: true }, ['KEY_UNSIGNED']],
  ] as const)('[L4] believes no restoration that leads from the true key to a key of the forger: %s', async (_name, how, found) => {
    const directory = join(log.folder, 'forged-restoration');
    cpSync(exported, directory, { recursive: true });
    forgeRestoration(directory, log.earlySize, how);
    for (const more of [[], ['--key', keyFile()], ['--key', keyFile(), '--checkpoint', log.early]]) expect(await portcullis('log', 'verify', directory, ...more)).toEqual({ code: 1, found });
    // Who takes a log's word for a restoration still does not take it for what was before.
    expect(await portcullis('log', 'verify', directory, '--key', keyFile(), '--accept-unsigned-restoration')).toEqual(how.statement === 'none' ? ok : { code: 1, found });
    rmSync(directory, { recursive: true });
  });

  it('[L4] asks for the new key, or for somebody\'s word, where a copy without the recovery key was cut and restored', async () => {
    const dataDir = log.copy();
    cut(dataDir, log.earlySize);
    rmSync(join(dataDir, 'recovery.key'));
    const { stdout } = await run(process.execPath, [PORTCULLIS, 'log', 'restore', '--without-recovery-key', '--data', dataDir, '--reason', 'x', '--json'], { PORTCULLIS_HOME: join(log.folder, 'home') });
    const { verifierKey } = JSON.parse(stdout) as { readonly verifierKey: string };
    const unsigned = { code: 1, found: ['KEY_UNSIGNED'] };
    expect(await verify('--data', dataDir)).toEqual({ alone: unsigned, early: unsigned, late: { code: 1, found: ['ROLLED_BACK', 'KEY_UNSIGNED'] } });
    expect(await verify('--data', dataDir, '--key', keyFile())).toMatchObject({ alone: unsigned, early: unsigned });
    const printed = join(log.folder, 'new-key');
    writeFileSync(printed, verifierKey);
    for (const more of [['--key', keyFile(), '--key', printed], ['--key', printed], ['--key', keyFile(), '--accept-unsigned-restoration']]) expect(await verify('--data', dataDir, ...more)).toMatchObject({ alone: ok, early: ok });
    expect(await portcullis('log', 'verify', '--data', log.dataDir, '--key', keyFile(), '--key', printed)).toEqual({ code: 1, found: ['KEY_ABSENT'] });
    intrude(dataDir, (db) => db.prepare('DELETE FROM checkpoints WHERE size = ?').run(log.earlySize));
    expect(await verify('--data', dataDir, '--key', printed)).toMatchObject({ alone: { code: 1, found: ['HEAD_MISSING'] } });
  });

  it('[L5] folds the events again: a kept fold that says something else is found, though the stolen key signed it', async () => {
    const dataDir = log.copy();
    keepFolds(dataDir);
    expect(await verify('--data', dataDir)).toEqual({ alone: ok, early: ok, late: ok });
    forgeFold(dataDir);
    expect((await verify('--data', dataDir)).alone).toEqual({ code: 1, found: ['FOLD_WRONG'] });
    rmSync(join(dataDir, 'folds'), { recursive: true });
    expect((await verify('--data', dataDir)).alone).toEqual(ok);
  });

  it('[L4] finds reasons that were deleted without an event that says so, in a data directory and in an exported one', async () => {
    const dataDir = log.copy();
    intrude(dataDir, (db) => db.exec('UPDATE payloads SET salt = NULL, body = NULL WHERE salt IS NOT NULL'));
    const missing = { code: 1, found: ['TEXT_MISSING'] };
    expect(await verify('--data', dataDir)).toEqual({ alone: missing, early: missing, late: missing });
    const out = join(log.folder, 'without-reasons');
    await portcullis('log', 'export', '--data', dataDir, '--out', out);
    expect(await portcullis('log', 'verify', out)).toEqual(missing);
  });

  it('[L4] finds an earlier checkpoint that was put back as the newest of a directory, with a later one only', async () => {
    const directory = join(log.folder, 'earlier');
    cpSync(exported, directory, { recursive: true });
    cpSync(log.early, join(directory, 'checkpoint'));
    expect(await verify(directory)).toEqual({ alone: ok, early: ok, late: { code: 1, found: ['ROLLED_BACK'] } });
  });

  const bundle = 'tile/entries/000';
  const lastBundle = (at: string): string => join('tile/entries/001.p', readdirSync(join(at, 'tile/entries/001.p'))[0]!);
  const IN_THE_FILES: readonly (readonly [string, (directory: string) => void, RegExp])[] = [
    ['an entry altered', (at) => alter(at, bundle, (bytes) => Buffer.from(bytes.toString('latin1').replace('"id":"op"', '"id":"ox"'), 'latin1')), /LEAF_WRONG/],
    ['two entries swapped', (at) => alter(at, bundle, (bytes) => {
      const decoded = decodeBundle(bytes);
      const entries = decoded.ok ? [...decoded.entries] : [];
      [entries[10], entries[11]] = [entries[11]!, entries[10]!];
      return encodeBundle(entries);
    }), /LEAF_WRONG/],
    ['an entry removed', (at) => alter(at, lastBundle(at), (bytes) => {
      const decoded = decodeBundle(bytes);
      return encodeBundle(decoded.ok ? decoded.entries.slice(1) : []);
    }), /BUNDLE_MALFORMED/],
    ['a bundle removed', (at) => rmSync(join(at, lastBundle(at))), /BUNDLE_MISSING/],
    ['the first bundle removed, and with it what says which log it is', (at) => rmSync(join(at, bundle)), /This is no log/],
    ['a hash of an entry altered', (at) => alter(at, 'tile/0/000', (bytes) => bytes.fill(0, 0, 32)), /LEAF_WRONG.*TILE_WRONG/],
    ['a hash above altered', (at) => alter(at, 'tile/1/000.p/1', (bytes) => bytes.fill(0, 0, 32)), /TILE_WRONG/],
    ['the checkpoint cut', (at) => alter(at, 'checkpoint', (bytes) => bytes.subarray(0, 60)), /NOTE_MALFORMED|SIGNATURE/],
    ['another key on the page that says how to check it', (at) => alter(at, 'AUDIT.md', (bytes) => Buffer.from(bytes.toString('utf8').replace(/^( {4}portcullis\.local\/)\w{4}/m, '$1dead'))), /^GUIDE_WRONG$/],
    ['the key taken from that page', (at) => alter(at, 'AUDIT.md', (bytes) => Buffer.from(bytes.toString('utf8').replace(/^ {4}portcullis\.local.*$/m, ''))), /^GUIDE_WRONG$/],
    ['a payload altered', (at) => alter(at, join('payload', readdirSync(join(at, 'payload'))[0]!), () => Buffer.from('x')), /PAYLOAD_WRONG/],
  ];
  it.each(IN_THE_FILES)('[L4] finds in an exported directory, by itself: %s', async (_name, act, codes) => {
    const directory = join(log.folder, 'altered');
    cpSync(exported, directory, { recursive: true });
    act(directory);
    const answer = await portcullis('log', 'verify', directory);
    rmSync(directory, { recursive: true });
    expect(answer.code).toBe(1);
    expect(String(answer.found)).toMatch(codes);
  });

  it('[L4] finds every one of 300 altered bytes, wherever they are', async () => {
    const seed = firstSeed();
    const dice = random(seed);
    const files = readdirSync(exported, { recursive: true, withFileTypes: true })
      .filter((one) => one.isFile() && one.name !== 'AUDIT.md' && !one.parentPath.includes('checkpoints'))
      .map((one) => join(one.parentPath, one.name));
    for (let round = 0; round < 300; round++) {
      const file = dice.pick(files);
      const before = readFileSync(file);
      const after = Buffer.from(before);
      const at = dice.int(after.length);
      after[at] = after[at]! ^ (1 << dice.int(8));
      writeFileSync(file, after);
      expect(await verifyInProcess(exported), `seed ${seed}, round ${round}: byte ${at} of ${file}`).toBe(1);
      writeFileSync(file, before);
    }
    expect(await verifyInProcess(exported)).toBe(0);
  }, 120_000);

  it('[L4] takes a folder, a pipe, a device, a loop and something huge for no files of a log, wherever they lie, and ends', async () => {
    const strange: readonly ((file: string) => void)[] = [
      (file) => mkdirSync(file),
      (file) => execFileSync('mkfifo', [file]),
      (file) => symlinkSync('/dev/zero', file),
      (file) => symlinkSync(file, file),
      (file) => {
        writeFileSync(file, '');
        truncateSync(file, 3 * 2 ** 30);
      },
    ];
    const directory = join(log.folder, 'strange');
    cpSync(exported, directory, { recursive: true });
    // A body: a reason that is not there was erased.
    const payload = readdirSync(join(exported, 'payload')).find((name) => readFileSync(join(exported, 'payload', name), 'utf8').startsWith('{'))!;
    for (const place of ['checkpoint', 'tile/entries/000', 'tile/0/000', `payload/${payload}`].map((name) => join(directory, name))) {
      const bytes = readFileSync(place);
      for (const put of strange) {
        rmSync(place, { recursive: true });
        put(place);
        expect(await verifyInProcess(directory), `${place} ${String(put)}`).toBe(1);
      }
      rmSync(place);
      writeFileSync(place, bytes);
    }
    expect(await verifyInProcess(directory)).toBe(0);
  }, 120_000);

  it('says what it says of a cut in words, and never that nothing can be altered', async () => {
    const { stdout } = await run(process.execPath, [PORTCULLIS, 'log', 'verify', exported], { PORTCULLIS_HOME: join(log.folder, 'home') });
    expect(stdout).toContain('Whether any were cut off at the end only an earlier checkpoint shows');
    for (const page of [readFileSync(join(exported, 'AUDIT.md'), 'utf8'), stdout]) expect(page).not.toMatch(/tamper-?proof|immutable|cannot be altered/i);
  });
});

async function verifyInProcess(directory: string): Promise<number> {
  const terminal = { out: () => undefined, err: () => undefined, progress: () => undefined, env: {}, cwd: '/', interactive: false, now: () => 0 } as unknown as Terminal;
  return logVerify(directory, { checkpoint: [log.late], json: true }, terminal);
}
