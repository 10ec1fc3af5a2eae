import { describe, expect, it } from 'vitest';
import { makeClosers } from './closers.ts';

describe('closing', () => {
  it('goes backwards, and past a part that hangs or throws, saying which', async () => {
    const said: string[] = [];
    const done: string[] = [];
    const closers = makeClosers((text) => said.push(text), 20);
    closers.add('the first', () => void done.push('first'));
    closers.add('the stuck', () => new Promise(() => undefined));
    closers.add('the slow', async () => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      done.push('slow');
    });
    closers.add('the broken', () => {
      throw new Error('no such file');
    });
    closers.add('the rejecting', () => Promise.reject(new Error('gone')));
    closers.add('the last', () => void done.push('last'));
    await closers.closeAll();
    expect(done).toEqual(['last', 'slow', 'first']);
    expect(said).toEqual(['portcullis: the rejecting could not be closed: gone', 'portcullis: the broken could not be closed: no such file', 'portcullis: the stuck did not end within 0.02 s and is left behind']);
    await closers.closeAll();
    expect(done).toHaveLength(3);
  });
});
