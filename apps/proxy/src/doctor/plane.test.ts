import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Enrolment } from '../host/enrolment.ts';
import { examinePlane } from './plane.ts';

const KEY = `${'A'.repeat(43)}=`;
let server: Server;
let answer: { readonly status: number; readonly body: string; readonly date: string };
let enrolment: Enrolment;

beforeAll(async () => {
  server = createServer((_request, response) => response.writeHead(answer.status, { date: answer.date }).end(answer.body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  enrolment = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, log: 'p/1', planeKey: KEY, formerKeys: [], recoveryKeySha256: '0'.repeat(64), host: 'h', name: 'h', formerLogs: [],
  };
});
afterAll(() => server.close());

async function examine(plane: { readonly log?: string; readonly publicKey?: string }, atMs = Date.now(), status = 200) {
  const identity = { log: 'p/1', publicKey: KEY, recoveryKeySha256: '0'.repeat(64), ...plane };
  answer = { status, body: JSON.stringify(identity), date: new Date(atMs).toUTCString() };
  return (await examinePlane(enrolment, Date.now)).map(({ check, level, message }) => `${check} ${level}: ${message}`);
}

const containing = (text: string): unknown => expect.stringContaining(text);

describe('the plane, as a host sees it', () => {
  it('is well where it answers for the log and agrees about the time', async () => {
    expect(await examine({})).toEqual([containing('plane ok: '), containing('clock ok: ')]);
  });

  it('[O3] says which log it speaks for instead, and how to follow', async () => {
    expect(await examine({ log: 'p/2' })).toEqual([expect.stringMatching(/^plane wrong: .*portcullis-proxy trust p\/2/), containing('clock ok: ')]);
    expect(await examine({ publicKey: `${'B'.repeat(43)}=` })).toEqual([containing('plane warning: '), containing('clock ok: ')]);
  });

  it('says how far the clocks are apart, and which is ahead', async () => {
    expect((await examine({}, Date.now() - 3_600_000))[1]).toMatch(/^clock warning: .*3(599|600|601) s ahead/);
    expect((await examine({}, Date.now() + 3_600_000))[1]).toMatch(/^clock warning: .*3(599|600|601) s behind/);
  });

  it('[O3] says that something else answers, or nobody', async () => {
    expect(await examine({}, Date.now(), 500)).toEqual([expect.stringMatching(/^plane wrong: .*answered 500/)]);
    enrolment = { ...enrolment, url: 'http://127.0.0.1:9' };
    expect(await examine({})).toEqual([expect.stringMatching(/^plane wrong: .*cannot be reached/)]);
  });
});
