/** Why a link is closed: one private WebSocket close code, the reason as a word (RFC 6455, 7.4.2: 4000 to 4999 are private). */

export const LINK_CLOSE_CODE = 4700;

export const CLOSE_REASONS = [
  /** A frame that could not be read, or that has no place here (W1, W2). */
  'bad-frame',
  'hello-timeout',
  /** Unknown host, wrong signature: one answer for both. */
  'unauthorised',
  'revoked',
  'other-log',
  /** The proxy has seen a history of this log that the plane does not have: it came back from a backup, or was altered. */
  'other-history',
  'unsupported-protocol',
  /** No acknowledgement or no reading in time; come back. */
  'slow',
  'silent',
  'too-many',
  /** The plane goes away; come back. */
  'going-away',
  /** A second socket of the same boot took over. */
  'replaced',
] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

const KNOWN = new Set<string>(CLOSE_REASONS);

/** The reason in a close frame; null where the other end gave none of ours. */
export function closeReason(code: number, reason: string): CloseReason | null {
  return code === LINK_CLOSE_CODE && KNOWN.has(reason) ? (reason as CloseReason) : null;
}
