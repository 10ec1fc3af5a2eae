/**
 * Text from elsewhere on a terminal. Tool names, messages and file names are chosen by others: what could move the cursor,
 * colour the screen or turn the reading order is shown as its code point instead.
 */

const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** One line of text, with everything that is not plainly visible spelled `\u{…}`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);
}

/** The lines of a text that was asked for as such, a policy's or a difference's; tabs become two spaces. Each is still to be made printable. */
export function linesOf(text: string): readonly string[] {
  return text.replaceAll('\t', '  ').split('\n');
}

/** `text`, cut to `width` with an ellipsis where it is longer. */
export function shorten(text: string, width: number): string {
  const points = Array.from(text);
  return points.length <= width ? text : `${points.slice(0, Math.max(0, width - 1)).join('')}…`;
}
