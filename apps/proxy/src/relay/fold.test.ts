import { describe, expect, it } from 'vitest';
import { findCollision, findDisguise, fold, reserve } from './fold.ts';

const RESERVED = reserve(['name', 'jsonrpc', 'requestId', 'task', '_meta']);

describe('[P2] keys in disguise', () => {
  it.each(['Name', 'NAME', 'name\0', '\0name', 'na\u200bme', 'name ', '\ufeffname', '\uff4eame', 'JsonRPC', 'j\u017fonrpc', 'jſonrpc', 'tas\u212a', 'TASK', '_META', 'requestid', 'RequestId', 'ta\u017fk'])('%j is found', (key) => {
    expect(findDisguise(['x', key], RESERVED)).toBe(key);
  });

  it.each(['name', 'task', 'requestId', 'names', 'nam', 'nаme' /* Cyrillic: no parser folds it */, 'title', '', '__proto__', 'constructor'])('%j is not', (key) => {
    expect(findDisguise([key], RESERVED)).toBeNull();
  });

  it('finds keys that fold to one another', () => {
    expect(findCollision(['a', 'b', 'A'])).toBe('A');
    expect(findCollision(['path', 'pat\u{ff48}'])).toBe('pat\u{ff48}');
    expect(findCollision(['a', 'b', 'a_b', '__proto__', 'constructor'])).toBeNull();
  });

  it('levels a folded key to itself', () => {
    for (const key of ['Name', 'STRASSE', 'straße', 'İ', 'ſ', 'K', 'ﬁ', 'ΑΣ', 'ας']) expect(fold(fold(key))).toBe(fold(key));
  });
});
