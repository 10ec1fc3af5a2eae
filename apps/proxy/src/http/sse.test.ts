import { describe, expect, it } from 'vitest';
import { asLine, createSseReader, eventOf } from './sse.ts';
import type { SseEvent } from './sse.ts';

interface Read {
  readonly events: SseEvent[];
  readonly comments: string[];
  readonly tooLong: { readonly head: Buffer; readonly tail: Buffer }[];
}

function read(chunks: readonly Buffer[], maxBytes = 1000): Read {
  const heard: Read = { events: [], comments: [], tooLong: [] };
  const reader = createSseReader(maxBytes, { event: (event) => heard.events.push(event), comment: (line) => heard.comments.push(line), tooLong: (ends) => heard.tooLong.push(ends) });
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return heard;
}

const data = ({ events }: Read): (string | null)[] => events.map((event) => event.data?.toString() ?? null);

describe('server-sent events', () => {
  it.each([
    ['data: a\n\n', ['a\n']],
    ['data:a\r\rdata: b\r\n\r\ndata: c\n\n', ['a\n', 'b\n', 'c\n']],
    ['data: a\ndata: b\r\ndata:  c\n\n', ['a b  c\n']],
    ['\ufeffdata: a\n\n', ['a\n']],
    ['data: \ufeffa\n\n', ['\ufeffa\n']],
    ['id: 1\ndata\n\n', [null]],
    ['data: a\n', []],
    ['dataa: x\n\nDATA: y\n\n data: z\n\n', []],
    [': data: x\n\n', []],
    ['data: {"a":1,\ndata: "b":2}\n\n', ['{"a":1, "b":2}\n']],
  ])('%j has %j', (text, wanted) => expect(data(read([Buffer.from(text)]))).toEqual(wanted));

  it('keep what is about the event, and pass over what is nothing', () => {
    const { events, comments } = read([Buffer.from(': hi\nid: 7\nretry: 10\nevent: message\nretry: x\nid: a\0b\nother: y\ndata: z\n\nretry: 5\n\n')]);
    expect(events).toMatchObject([{ fields: 'id: 7\nretry: 10\nevent: message\n', id: '7', retryMs: 10, type: 'message' }, { fields: 'retry: 5\n', data: null }]);
    expect(comments).toEqual([': hi\n']);
  });

  it('are the same wherever chunks are split', () => {
    const stream = Buffer.from('\ufeff: c\r\nid: 1\rdata: ü😀\r\ndata: b\r\r\r\ndata: x\n\r\nretry: 3\r\n\r\ndata: last\r\r');
    const whole = read([stream]);
    expect(data(whole)).toEqual(['ü😀 b\n', 'x\n', null, 'last\n']);
    for (let at = 0; at <= stream.length; at++) expect(read([stream.subarray(0, at), stream.subarray(at)])).toEqual(whole);
    expect(read([...stream].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  it('that are too long are thrown away but for their ends, and the next one is read', () => {
    for (const long of [`data: BEGIN${'x'.repeat(30_000)}END\n\n`, `data: BEGIN\n${'data: xxxxxxxxx\n'.repeat(300)}data: END\n\n`]) {
      for (const step of [7, 1024, 1e9]) {
        const stream = Buffer.from(`${long}data: next\n\n`);
        const heard = read(Array.from({ length: Math.ceil(stream.length / step) }, (_, n) => stream.subarray(n * step, (n + 1) * step)));
        expect(data(heard)).toEqual(['next\n']);
        expect(heard.tooLong).toHaveLength(1);
        expect(heard.tooLong[0]?.head.toString().startsWith('BEGIN')).toBe(true);
        expect(heard.tooLong[0]?.tail.toString().endsWith('END')).toBe(true);
      }
    }
  });

  it('are written so that they are read back', () => {
    const line = asLine([Buffer.from('{"a":\r\n1}')]);
    expect(line.toString()).toBe('{"a":  1}\n');
    expect(data(read(eventOf('id: 1\n', line).map((piece) => Buffer.from(piece))))).toEqual(['{"a":  1}\n']);
  });
});
