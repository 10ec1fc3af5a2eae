import { describe, expect, it } from 'vitest';
import { applyEdits, cutElements, insertMember } from './edit.ts';
import { elementsOf, membersOf } from './outline.ts';

const whole = (bytes: Buffer): { start: number; end: number } => ({ start: 0, end: bytes.length });

function members(text: string, inside: readonly string[] = []): unknown {
  const bytes = Buffer.from(text);
  return membersOf(bytes, whole(bytes), new Set(inside))?.map(({ key, start, end, members: inner }) => [key, bytes.toString('utf8', start, end), ...(inner === null ? [] : [inner.map((one) => one.key)])]) ?? null;
}

function elements(text: string): readonly string[] | null {
  const bytes = Buffer.from(text);
  return elementsOf(bytes, whole(bytes))?.map(({ start, end }) => bytes.toString('utf8', start, end)) ?? null;
}

describe('outline', () => {
  it('finds members, as written and under their unescaped keys', () => {
    expect(members(' { "a" : 1.0 ,"b":"x\\"},{" , "\\u0063":[{"a":"]"},2], "ü":{"x":{"y":{}},"z":null}, "d":true } ', ['ü'])).toEqual([
      ['a', '1.0'], ['b', '"x\\"},{"'], ['c', '[{"a":"]"},2]'], ['ü', '{"x":{"y":{}},"z":null}', ['x', 'z']], ['d', 'true'],
    ]);
    expect(members('{}')).toEqual([]);
    expect(members('{"a":1,"a":2}')).toEqual([['a', '1'], ['a', '2']]);
    expect(members(`{"a":"${'x'.repeat(50)}\\\\","b":"${'y'.repeat(23)}\\"${'\\\\'.repeat(20)}\\"z","c":0}`)).toHaveLength(3);
  });

  it.each(['', '[]', '1', '{', '{"a"}', '{"a":}', '{"a":1', '{"a":1,}', '{"a":"x}', '{"a":[1}', '{"a":1}x', '{"a":1} {}', '{a:1}', '{"a":1 "b":2}', '{"a\\q":1}', '{"a":"\\"}', `{"a":"${'x'.repeat(40)}\\"}`, '{,}'])('sees no object in %s', (text) => expect(members(text)).toBeNull());

  it('finds elements', () => {
    expect(elements(' [ 1 , "a,]" , [2,[3]] , {"x":[]} , null ] ')).toEqual(['1', '"a,]"', '[2,[3]]', '{"x":[]}', 'null']);
    expect(elements('[]')).toEqual([]);
    expect(elements(' [ ] ')).toEqual([]);
    for (const broken of ['', '{}', '[', '[1', '[1,]', '[,1]', '[1 2]', '[1]]', '["a]', '[1],']) expect(elements(broken)).toBeNull();
  });

  it('reads 10 MB of text or structure without delay', () => {
    for (const text of [`{"id":1,"result":{"t":"${'x\\"'.repeat(3_300_000)}"}}`, `{"id":1,"result":[${'{"id":1,"n":"abc","v":[1,2]},'.repeat(350_000)}0]}`]) {
      const bytes = Buffer.from(text);
      const started = performance.now();
      expect(membersOf(bytes, whole(bytes), new Set(['result']))?.map(({ key }) => key)).toEqual(['id', 'result']);
      expect(performance.now() - started).toBeLessThan(1500);
    }
  });
});

describe('edits', () => {
  it('cut every subset of an array, and leave JSON with the rest as it was written', () => {
    const text = '[ {"a":1} , 2,"x" ,\t[3] ]';
    const bytes = Buffer.from(text);
    const ranges = elementsOf(bytes, whole(bytes)) ?? [];
    for (let mask = 0; mask < 16; mask++) {
      const cut = applyEdits(bytes, cutElements(ranges, (index) => (mask & (1 << index)) !== 0)).toString();
      expect(JSON.parse(cut)).toEqual((JSON.parse(text) as unknown[]).filter((_, index) => (mask & (1 << index)) !== 0));
      if (mask === 15) expect(cut).toBe(text);
    }
  });

  it('insert a first member into any object', () => {
    for (const [before, after] of [['{}', '{"n":1}'], ['{ }', '{"n":1 }'], ['{"a":2}', '{"n":1,"a":2}'], [`{${' '.repeat(100)}}`, `{"n":1${' '.repeat(100)}}`], [`{${' '.repeat(100)}"a":2}`, `{"n":1,${' '.repeat(100)}"a":2}`]] as const) {
      const bytes = Buffer.from(before);
      expect(applyEdits(bytes, [insertMember(bytes, whole(bytes), '"n":1')]).toString()).toBe(after);
    }
  });
});
