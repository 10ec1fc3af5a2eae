/** Bounds of the link between plane and proxies. Both ends refuse what crosses one, and say which. */

/** Raised when an old peer could misread a new one. */
export const LINK_PROTOCOL = 1;

/** A policy set is at most 24 MiB (the plane refuses a larger one when it is offered); quoting doubles a text at worst; a header is small. */
export const MAX_DOWN_BYTES = 50 * 1024 * 1024;

/** The largest frame that a proxy sends is a batch of decisions. */
export const MAX_UP_BYTES = 1024 * 1024;

/** A hello is about 1 kB; a command line in it may be long. Nothing larger is read from a socket that has not proved who it is. */
export const MAX_HELLO_BYTES = 8 * 1024;

/** Guards against floods of tiny fragments (CVE-2026-48779 and its kin); neither end fragments what it sends. */
export const MAX_FRAGMENTS = 64;
export const MAX_BUFFERED_CHUNKS = 4096;

/** A header names a few versions, digests and labels. */
export const MAX_HEADER_CHARS = 16 * 1024;

/** Names of servers, hosts, labels and their values as they cross the wire. */
export const MAX_NAME_CHARS = 256;
export const MAX_LABELS = 64;
/** Command line or URL origin; cut off by the proxy before it is sent. */
export const MAX_UPSTREAM_CHARS = 4096;

/** Restrictions that may reach one cut at once. An incident has a handful. */
export const MAX_RESTRICTIONS = 1000;
/** Policies of one set. */
export const MAX_POLICIES = 5000;
/** Nesting of a list or map in a policy's value, as the parser bounds it. */
export const MAX_VALUE_DEPTH = 64;

/** Decisions in one frame, and the characters that one field of a decision keeps. */
export const MAX_BATCH_ROWS = 500;
export const MAX_DECISION_TEXT = 1024;

/** Problems that one nack carries, and the characters of each. */
export const MAX_NACK_PROBLEMS = 20;
export const MAX_PROBLEM_CHARS = 1000;

/** A checkpoint with the signatures of two keys, while one replaces the other, has about 400 characters. */
export const MAX_NOTE_CHARS = 4096;
/** A tree of 2^53 events needs 54. */
export const MAX_PROOF_HASHES = 64;

/** The plane says once in this time what the head is, and signs it once for everybody. */
export const HEARTBEAT_MS = 5_000;
/** Three missed heartbeats, and the snapshot is no longer known to be current. */
export const FRESH_MS = 15_000;
/** Neither end waits longer than this for a sign of life. */
export const SILENCE_MS = 25_000;
/** So often a proxy that stays connected is shown the head of the log's tree, where it has grown. */
export const CHECKPOINT_MS = 60_000;
/** A proxy that is told of versions that no tree which it was shown has in it waits no longer than this: two and a half times as long. */
export const SHOWN_WITHIN_MS = 150_000;
/** A socket that has not said a valid hello by then is closed (W1). */
export const HELLO_MS = 10_000;
