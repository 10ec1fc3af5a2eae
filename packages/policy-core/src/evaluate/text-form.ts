/** Whether a text is in the one form that all of Unicode's readers agree on. */

const LONE_SURROGATE = /\p{Cs}/u;
/** Unicode's Stream-Safe Text Format allows 30 (UAX #15, section 13); putting a longer run in order takes quadratic time. */
const TOO_MANY_MARKS = /\p{M}{31}/u;
const ASCII = /^[\u0000-\u007f]*$/;

/** True where the text is well-formed, in NFC, and free of endless runs of combining marks. Linear. */
export function isNormalText(text: string): boolean {
  if (ASCII.test(text)) return true;
  return !LONE_SURROGATE.test(text) && !TOO_MANY_MARKS.test(text) && text === text.normalize('NFC');
}
