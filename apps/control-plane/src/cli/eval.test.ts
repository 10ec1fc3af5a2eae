/** The lines that `eval` reads: each is one call exactly, or is answered deny, `unparsable`. */
import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateCalls } from './eval.ts';
import type { Terminal } from './terminal.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'portcullis-eval-'));
  writeFileSync(join(root, 'p.yaml'), 'version: "1"\ntools: { x: deny }\nresources: { "repo://x": deny }\nprompts: { x: deny }\n');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Answers {
  readonly code: number;
  readonly decisions: readonly string[];
  readonly messages: readonly (string | null)[];
}

async function asked(...chunks: readonly (string | Buffer)[]): Promise<Answers> {
  const said: string[] = [];
  const terminal: Terminal = {
    out: (text) => void said.push(text), err: () => undefined, progress: () => undefined, input: Readable.from(chunks.map((chunk) => Buffer.from(chunk))),
    env: {}, cwd: root, interactive: false, now: () => 0, signal: new AbortController().signal,
  };
  const code = await evaluateCalls({ policy: 'p.yaml' }, terminal);
  const decisions = said.map((text) => JSON.parse(text) as { decision: string; reason: string; message: string | null });
  return { code, decisions: decisions.map(({ decision, reason }) => (reason === 'unparsable' ? reason : decision)), messages: decisions.map(({ message }) => message) };
}

describe('[P2] a line of bytes', () => {
  it('that are not UTF-8 is no call, whatever they would become', async () => {
    const bad = (byte: readonly number[]): Buffer => Buffer.concat([Buffer.from('{"tool":"'), Buffer.from(byte), Buffer.from('"}\n')]);
    expect(await asked(bad([0xff]), bad([0xc0, 0xae]), bad([0xed, 0xa0, 0x80]), bad([0xe2, 0x82]), '{"tool":"a"}\n')).toMatchObject({ code: 2, decisions: ['unparsable', 'unparsable', 'unparsable', 'unparsable', 'allow'] });
  });

  it('ends at LF, and nowhere else', async () => {
    expect((await asked('{"tool":"x"}\r\n{"tool":"a"}\r\n')).decisions).toEqual(['deny', 'allow']);
    expect((await asked('{"tool":"a"}\r{"tool":"a"}\n')).decisions).toEqual(['unparsable']);
    expect((await asked('{"tool":\r"x"}\n')).decisions).toEqual(['deny']);
    expect((await asked('{"tool":"a"}\u2028{"tool":"a"}\n{"tool":"a\u2028"}\u0085\n')).decisions).toEqual(['unparsable', 'unparsable']);
  });

  it('may come in pieces, also of one character', async () => {
    const bytes = Buffer.from('{"tool":"a","arguments":{"é":"😀"}}\n{"tool":"x"}');
    expect((await asked(...Array.from(bytes, (byte) => Buffer.from([byte])))).decisions).toEqual(['allow', 'deny']);
  });

  it('that is empty asks nothing, and a byte order mark may begin the first', async () => {
    expect(await asked('\n  \t\r\n\r\n{"tool":"a"}\n\n')).toMatchObject({ code: 0, decisions: ['allow'] });
    expect((await asked('\ufeff{"tool":"x"}\n\ufeff{"tool":"x"}\n')).decisions).toEqual(['deny', 'unparsable']);
    expect((await asked('\ufeff\ufeff{"tool":"x"}\n')).decisions).toEqual(['unparsable']);
    expect((await asked('\u00a0\n')).decisions).toEqual(['unparsable']);
  });

  it('that is longer than any message is dropped as it comes, and the next one is read', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 0x20);
    expect(await asked(...Array.from({ length: 65 }, () => megabyte), '{"tool":"a"}\n{"tool":"x"}\n')).toMatchObject({ code: 2, decisions: ['unparsable', 'deny'] });
  });
});

describe('a call', () => {
  it.each(['2026-02-30T12:00:00Z', '2026-01-05T24:00:00Z', '2026-01-05T12:00:60Z', '2026-01-05', '2026-01-05T12:00:00', '2026-01-05T12:00:00+25:00', '2026-01-05 12:00:00Z'])('is at no moment %s', async (at) => {
    expect((await asked(JSON.stringify({ tool: 'a', at }))).decisions).toEqual(['unparsable']);
  });

  it.each(['2026-01-05t12:00:00z', '2026-01-05T12:00:00.123456789+05:30', '2028-02-29T23:59:59-00:00'])('is at the moment %s', async (at) => {
    expect((await asked(JSON.stringify({ tool: 'a', at }))).decisions).toEqual(['allow']);
  });

  it('is asked by what policies decide about, never by the method that carries it', async () => {
    const lines = [
      { method: 'tools/call', arguments: { name: 'x' } }, { method: 'prompts/get' }, { method: 'resources/read', arguments: { uri: 'repo://x' } }, { method: 'resources/subscribe' }, { method: 'resources/unsubscribe' },
      { method: 'completion/complete', arguments: { ref: { type: 'ref/prompt', name: 'x' } } }, { method: 'subscriptions/listen', arguments: { notifications: { resourceSubscriptions: ['repo://x'] } } },
    ];
    const { code, decisions, messages } = await asked(lines.map((line) => JSON.stringify(line)).join('\n'));
    expect({ code, decisions }).toEqual({ code: 2, decisions: lines.map(() => 'unparsable') });
    expect(messages[0]).toContain('{"tool": …}');
    expect((await asked('{"tool":"x"}\n{"prompt":"x"}\n{"uri":"repo://x"}\n{"method":"completion/complete"}\n{"method":"subscriptions/listen"}\n')).decisions).toEqual(['deny', 'deny', 'deny', 'allow', 'allow']);
  });

  it('of a resource may have arguments as any other, but none in them', async () => {
    expect((await asked('{"uri":"repo://x","arguments":{}}\n{"uri":"repo://a","arguments":{}}\n{"uri":"repo://a","arguments":{"a":1}}\n')).decisions).toEqual(['deny', 'allow', 'unparsable']);
  });
});
