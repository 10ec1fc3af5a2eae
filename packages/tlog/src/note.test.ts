/** Keys, notes and checkpoints: the published examples, and everything that must be refused. */
import { describe, expect, test } from 'vitest';
import { emptyEdge, encodeHash, encodeSignerKey, encodeVerifierKey, headOf, isKeyName, leafHash, MAX_NOTE_BYTES, openCheckpoint, openNote, parseSignerKey, parseVerifierKey, signCheckpoint, signerFromSeed, signNote, verifierKey } from './index.ts';
import type { VerifierKey } from './index.ts';
import { seeded } from './testing/seeded.ts';

const SEED = Number(process.env['PORTCULLIS_SEED'] ?? 20261122);

const ours = signerFromSeed('plane.example/log', new Uint8Array(32).fill(1));
const theirs = signerFromSeed('witness.example', new Uint8Array(32).fill(2));
const key = ours.verifierKey;

function parsed(text: string): VerifierKey {
  const outcome = parseVerifierKey(text);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problems));
  return outcome.key;
}

const codeOf = (outcome: { ok: true } | { ok: false; problems: readonly { code: string }[] }): string => (outcome.ok ? 'ok' : outcome.problems.map((problem) => problem.code).join());

describe('published notes', () => {
  const EXAMPLE_KEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
  const EXAMPLE = 'This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
  const PETER_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
  const PETER = 'If you think cryptography is the answer to your problem,\nthen you don\'t know what your problem is.\n\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';

  test('the example of signed-note verifies', () => {
    expect(openNote(EXAMPLE, parsed(EXAMPLE_KEY))).toMatchObject({ ok: true, text: 'This is an example message.\n', unknown: [] });
    expect(encodeVerifierKey(parsed(EXAMPLE_KEY))).toBe(EXAMPLE_KEY);
  });

  test('the example of the Go note package verifies, as bytes too, and not under another key', () => {
    expect(openNote(PETER, parsed(PETER_KEY))).toMatchObject({ ok: true });
    expect(openNote(Buffer.from(PETER), parsed(PETER_KEY))).toMatchObject({ ok: true });
    expect(codeOf(openNote(PETER, parsed(EXAMPLE_KEY)))).toBe('SIGNATURE_MISSING');
  });
});

describe('keys', () => {
  const random = seeded(SEED);
  const seeds = Array.from({ length: 200 }, () => Uint8Array.from({ length: 32 }, () => random.below(256)));

  test('are read as they were written, also where the base64 has plus signs', () => {
    const texts = seeds.map((seed) => encodeVerifierKey(signerFromSeed('a.example/x', seed).verifierKey));
    expect(texts.filter((text) => text.split('+').length > 3).length).toBeGreaterThan(10);
    for (const text of texts) expect(encodeVerifierKey(parsed(text))).toBe(text);
    for (const seed of seeds) {
      const signer = parseSignerKey(encodeSignerKey('a.example/x', seed));
      expect(signer.ok && signer.signer.verifierKey).toEqual(signerFromSeed('a.example/x', seed).verifierKey);
    }
  });

  test.each([
    ['', 'nothing'], ['name', 'no plus sign'], ['name+12345678', 'one plus sign'], ['+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k', 'no name'],
    ['a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k', 'a space in the name'],
    ['example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k', 'an upper-case id'],
    ['example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k', 'another id'],
    ['example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k', 'another name'],
    ['example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n', 'a newline'],
    ['example.com/foo+530d903a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k', 'another signature type'],
    ['example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3Q==', 'too few bytes'],
    ['example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2_', 'the URL alphabet'],
  ])('refuses %j: %s', (text) => expect(codeOf(parseVerifierKey(text))).toBe('KEY_MALFORMED'));

  test('a refused signer key is not repeated', () => {
    const secret = encodeSignerKey('a.example/x', seeds[0]!);
    for (const broken of [secret.slice(1), secret.slice(0, -1), secret.replace('+KEY+a', '+KEY+b')]) {
      const outcome = parseSignerKey(broken);
      expect(outcome.ok).toBe(false);
      expect(JSON.stringify(outcome)).not.toContain(secret.slice(-20, -2));
    }
    expect(JSON.stringify(signerFromSeed('a.example/x', seeds[0]!))).not.toContain(Buffer.from(seeds[0]!).toString('base64').slice(0, 10));
  });

  test('names hold no white space, plus sign or control character', () => {
    for (const name of ['', 'a b', 'a+b', 'a\u00a0b', 'a\u2003b', 'a\u0000', 'a\n', '\ud800', 'x'.repeat(256)]) expect(isKeyName(name), JSON.stringify(name)).toBe(false);
    for (const name of ['a', 'é.example/\u4e16', '__proto__', 'x'.repeat(255)]) expect(isKeyName(name), name).toBe(true);
    expect(() => verifierKey('a b', new Uint8Array(32))).toThrow(RangeError);
    expect(() => verifierKey('a', new Uint8Array(31))).toThrow(RangeError);
    expect(() => signerFromSeed('a', new Uint8Array(33))).toThrow(RangeError);
  });
});

describe('notes', () => {
  const TEXT = 'first\n\nsecond, after a blank line\n';
  const note = signNote(TEXT, [ours, theirs]);

  test('open for each signer alone; the text ends at the last blank line', () => {
    expect(openNote(note, key)).toEqual({ ok: true, text: TEXT, signedBy: [key], unknown: ['witness.example'] });
    expect(openNote(note, [key, theirs.verifierKey])).toMatchObject({ signedBy: [key, theirs.verifierKey], unknown: [] });
    const rotated = signerFromSeed('plane.example/log', new Uint8Array(32).fill(3));
    expect(openNote(signNote(TEXT, rotated), [key, rotated.verifierKey])).toMatchObject({ ok: true, signedBy: [rotated.verifierKey] });
  });

  test('with any one bit turned, or cut anywhere, give no text that was not signed', () => {
    const bytes = Buffer.from(signNote(TEXT, ours));
    for (let i = 0; i < bytes.length * 8; i += 1) {
      const copy = Buffer.from(bytes);
      copy[i >> 3] = copy[i >> 3]! ^ (1 << (i & 7));
      expect(openNote(copy, key).ok, `bit ${i}`).toBe(false);
    }
    for (let end = 0; end < bytes.length; end += 1) expect(openNote(bytes.subarray(0, end), key).ok, `cut at ${end}`).toBe(false);
  });

  const line = note.split('\n').find((one) => one.startsWith('\u2014 plane'))!;
  const wrong = signNote('other\n', ours).split('\n').find((one) => one.startsWith('\u2014 plane'))!;

  test.each([
    ['a known key that fails beside one that verifies', `${TEXT}\n${line}\n${wrong}\n`, 'SIGNATURE_WRONG'],
    ['a known key that fails before it verifies', `${TEXT}\n${wrong}\n${line}\n`, 'SIGNATURE_WRONG'],
    ['a hyphen for the dash', `${TEXT}\n${line.replace('\u2014', '-')}\n`, 'NOTE_MALFORMED'],
    ['no newline at the end', `${TEXT}\n${line}`, 'NOTE_MALFORMED'],
    ['no signature', `${TEXT}\n`, 'NOTE_MALFORMED'],
    ['a blank line at the end', `${TEXT}\n${line}\n\n`, 'NOTE_MALFORMED'],
    ['two spaces', `${TEXT}\n${line.replace(' plane', '  plane')}\n`, 'NOTE_MALFORMED'],
    ['a word after the signature', `${TEXT}\n${line} more\n`, 'NOTE_MALFORMED'],
    ['base64 without padding', `${TEXT}\n${line.replace(/=+$/, '')}\n`, 'NOTE_MALFORMED'],
    ['only an id', `${TEXT}\n\u2014 x AAAAAA==\n`, 'NOTE_MALFORMED'],
    ['a carriage return', `${TEXT}\n${line}\r\n`, 'NOTE_MALFORMED'],
    ['a tab in the text', `a\tb\n\n${line}\n`, 'NOTE_MALFORMED'],
    ['a known name under another id', `${TEXT}\n\u2014 plane.example/log AAAAAAE=\n`, 'SIGNATURE_MISSING'],
    ['a signature of another length', `${TEXT}\n\u2014 plane.example/log ${Buffer.concat([Buffer.from(key.id, 'hex'), Buffer.alloc(63)]).toString('base64')}\n`, 'SIGNATURE_WRONG'],
    ['half a surrogate pair', `\ud800\n\n${line}\n`, 'NOTE_MALFORMED'],
    ['too many signatures', `${TEXT}\n${`${line}\n`.repeat(65)}`, 'NOTE_TOO_LARGE'],
    ['too many bytes', `${'x'.repeat(MAX_NOTE_BYTES)}\n\n${line}\n`, 'NOTE_TOO_LARGE'],
    ['too many bytes of wide characters', `${'\u4e16'.repeat(MAX_NOTE_BYTES / 3)}\n\n${line}\n`, 'NOTE_TOO_LARGE'],
  ])('refuses %s', (_, text, code) => expect(codeOf(openNote(text, key))).toBe(code));

  test('refuses bytes that are not UTF-8, whatever they would read as', () => {
    const replaced = Buffer.from(signNote('\ufffd\n', ours));
    const at = replaced.indexOf('\ufffd');
    const bytes = Buffer.concat([Buffer.from([0xff]), replaced.subarray(at + 3)]);
    expect(openNote(replaced, key).ok).toBe(true);
    expect(codeOf(openNote(bytes, key))).toBe('NOTE_MALFORMED');
    const withMark = Buffer.from(signNote('\ufefftext\n', ours));
    expect(openNote(withMark, key)).toMatchObject({ ok: true, text: '\ufefftext\n' });
  });

  test('sixteen signatures of the largest kind are read', () => {
    const large = `\u2014 pq.example ${Buffer.alloc(5000, 9).toString('base64')}\n`;
    expect(openNote(`${TEXT}\n${large.repeat(16)}${line}\n`, key).ok).toBe(true);
  });

  test('cannot be signed over a text that would not read back', () => {
    for (const text of ['', 'no newline', 'tab\t\n', '\ud800\n']) expect(() => signNote(text, ours), JSON.stringify(text)).toThrow(RangeError);
    expect(() => signNote(TEXT, [])).toThrow(RangeError);
  });
});

describe('checkpoints', () => {
  const origin = 'plane.example/log';
  const root = Uint8Array.from(leafHash(Buffer.from('x')));
  const spelt = (text: string): string => codeOf(openCheckpoint(signNote(text, ours), key));
  const good = encodeHash(root);

  test('read as they were signed, at any size', () => {
    for (const size of [1, 20852163, Number.MAX_SAFE_INTEGER]) {
      expect(openCheckpoint(signCheckpoint({ origin, size, root }, ours), key)).toEqual({ ok: true, checkpoint: { origin, size, root }, extensions: [] });
    }
    expect(openCheckpoint(signCheckpoint({ origin, ...headOf(emptyEdge()) }, ours), key)).toMatchObject({ ok: true, checkpoint: { size: 0 } });
    expect(openCheckpoint(signNote(`${origin}\n1\n${good}\nmore\nlines\n`, ours), key)).toMatchObject({ ok: true, extensions: ['more', 'lines'] });
  });

  test.each([
    ['a leading zero', `${origin}\n01\n${good}\n`], ['a sign', `${origin}\n+1\n${good}\n`], ['an exponent', `${origin}\n1e3\n${good}\n`],
    ['a negative size', `${origin}\n-1\n${good}\n`], ['no size', `${origin}\n\n${good}\n`], ['a space', `${origin}\n 1\n${good}\n`],
    ['a size that is not exact', `${origin}\n9007199254740993\n${good}\n`], ['a short root', `${origin}\n1\nAAAA\n`],
    ['a root in the URL alphabet', `${origin}\n1\n${'_'.repeat(43)}=\n`], ['two lines', `${origin}\n1\n`], ['one line', `${origin}\n`],
    ['an empty extension', `${origin}\n1\n${good}\n\nmore\n`], ['no origin', `\n1\n${good}\n`], ['a root for the empty tree', `${origin}\n0\n${good}\n`],
  ])('refuses %s, though signed', (_, text) => expect(spelt(text)).toBe('CHECKPOINT_MALFORMED'));

  test('refuses one that speaks for another log, even beside a good signature', () => {
    expect(spelt(`other.example\n1\n${good}\n`)).toBe('ORIGIN_WRONG');
    const witnessed = signNote(`${origin}\n1\n${good}\n`, theirs);
    expect(codeOf(openCheckpoint(witnessed, [key, theirs.verifierKey]))).toBe('ORIGIN_WRONG');
    expect(codeOf(openCheckpoint(witnessed, key))).toBe('SIGNATURE_MISSING');
  });

  test('cannot be signed under another name, or for what is no head', () => {
    expect(() => signCheckpoint({ origin: 'other.example', size: 1, root }, ours)).toThrow(RangeError);
    expect(() => signCheckpoint({ origin, size: 1.5, root }, ours)).toThrow(RangeError);
    expect(() => signCheckpoint({ origin, size: 1, root: new Uint8Array(3) }, ours)).toThrow(RangeError);
  });
});
