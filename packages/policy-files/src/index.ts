export { isAlmostPolicyName, isHiddenName, isPolicyName, RENAME_HINT } from './names.ts';
export type { Offer, OfferedFile, WatchProblem } from './offer.ts';
export type { Watcher, WatchOptions, WatchStatus } from './watch.ts';
export { watchPolicies } from './watch.ts';
