/** Whether a resource's URI has one reading only, so that a glob over it decides about what the server will open. */

const ESCAPE = /%([0-9A-Fa-f]{2})/g;
const UNRESERVED = /[A-Za-z0-9._~-]/;

/**
 * True where the URI is its own normal form: as WHATWG writes it (dot segments resolved, scheme and host in lower case),
 * with no escape that stands for a letter, digit, `-`, `.`, `_` or `~`, and escapes in upper case (RFC 3986, 6.2.2).
 * A text that is no absolute URI has no normal form.
 */
export function isNormalUri(uri: string): boolean {
  let parsed: URL;
  try {
    parsed = new URL(uri);
  } catch {
    return false;
  }
  if (parsed.href !== uri) return false;
  for (const [, digits = ''] of uri.matchAll(ESCAPE)) {
    if (digits !== digits.toUpperCase() || UNRESERVED.test(String.fromCharCode(parseInt(digits, 16)))) return false;
  }
  return true;
}
