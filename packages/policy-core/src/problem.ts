/** Something wrong in a policy text, said so that its author can mend it. */

export type Severity = 'error' | 'warning';

export interface Problem {
  /** The policy's id, or the path that the reader knows it by. */
  readonly file: string;
  /** From 1; both are 1 where the problem is the file as a whole. */
  readonly line: number;
  readonly column: number;
  readonly code: ProblemCode;
  readonly severity: Severity;
  /** What is wrong and what to do. */
  readonly message: string;
  /** The line in question with a caret under the place, where the text is at hand. */
  readonly frame: string | null;
}

/** The closed list. A code is an interface: it is added to, never renamed. */
export const PROBLEM_CODES = [
  // the file as bytes
  'FILE_UNREADABLE', 'FILE_TOO_LARGE', 'FILE_NOT_UTF8', 'FILE_OUTSIDE',
  // the text as YAML
  'YAML_SYNTAX', 'YAML_DUPLICATE_KEY', 'YAML_ALIAS', 'YAML_TOO_DEEP', 'YAML_TOO_LARGE', 'YAML_SEVERAL_DOCUMENTS', 'YAML_MERGE', 'YAML_TAG',
  // the document
  'TYPE', 'UNKNOWN_KEY', 'MISSING_KEY', 'VERSION', 'DEFAULT', 'MODE', 'MATCH', 'HIDE', 'DURATION', 'NAME', 'GLOB',
  // rules
  'RULE_NAME', 'RULE_ACTION', 'RULE_EMPTY', 'RULE_CONFLICT', 'RATE_LIMIT', 'SPEND_LIMIT', 'PATH', 'OPERATOR', 'VALUE', 'REGEX',
  'COUNTER', 'COUNTER_DUPLICATE', 'COUNTER_UNKNOWN', 'WINDOW',
  // tests
  'TEST', 'TEST_FAILED',
  // the set
  'SET_TOO_LARGE', 'POLICY_ID',
  // legal but surely wrong
  'NEVER_DENIES', 'NEVER_COUNTED', 'HIDDEN_AND_LISTED', 'UNREACHABLE', 'STEM_TWICE', 'OBSERVE_ADMITS', 'LOOKS_MISTYPED',
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];
