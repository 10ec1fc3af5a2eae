/** What a condition says of a value. Small numbers, because a decision makes some every microsecond. */

/** The condition does not hold. */
export const FAILS = 0;
/** The condition holds. */
export const HOLDS = 1;
/**
 * The value cannot be judged: it has the wrong type, or readers of its text could disagree. In `conditions` that is as
 * good as false, so the rule denies. In `when` it must not let a rule step aside, so there the rule denies as well.
 */
export const UNFIT = 2;

export type Judged = typeof FAILS | typeof HOLDS | typeof UNFIT;

export function judged(holds: boolean): Judged {
  return holds ? HOLDS : FAILS;
}
