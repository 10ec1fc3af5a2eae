/** What is wrong with a log, a note, a key or a proof, said so that whoever verifies knows where to look and what to do. */

export interface LogProblem {
  readonly code: LogProblemCode;
  /** What happened, and what to do next. */
  readonly what: string;
  /** The file of the published directory, or the thing that was examined (`note`, `inclusion proof`). */
  readonly where: string;
}

/** The closed list. A code is an interface: it is added to, never renamed. */
export const LOG_PROBLEM_CODES = [
  // keys and notes
  'KEY_MALFORMED', 'NOTE_TOO_LARGE', 'NOTE_MALFORMED', 'SIGNATURE_MISSING', 'SIGNATURE_WRONG',
  // checkpoints
  'CHECKPOINT_MALFORMED', 'CHECKPOINT_MISSING', 'ORIGIN_WRONG', 'ROLLED_BACK', 'FORKED',
  // proofs
  'PROOF_RANGE', 'PROOF_MALFORMED', 'PROOF_WRONG', 'SIZE_ZERO',
  // stored tiles and entries
  'TILE_MISSING', 'TILE_MALFORMED', 'TILE_WRONG', 'BUNDLE_MISSING', 'BUNDLE_MALFORMED', 'LEAF_WRONG', 'ROOT_WRONG', 'TOO_MANY',
] as const;
export type LogProblemCode = (typeof LOG_PROBLEM_CODES)[number];

export interface Refused {
  readonly ok: false;
  /** At least one. */
  readonly problems: readonly LogProblem[];
}

/** One problem as a refused outcome. */
export function refused(code: LogProblemCode, where: string, what: string): Refused {
  return { ok: false, problems: [{ code, what, where }] };
}
