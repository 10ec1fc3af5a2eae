/** How a command ends. Scripts rely on these numbers: they are added to, never changed (docs/cli.md). */
export const EXIT = {
  ok: 0,
  /** The answer is no: problems were found, a command was refused, not everybody enforces it in time. */
  no: 1,
  /** The command line or its input cannot be understood. */
  usage: 2,
  /** No plane answers. */
  unreachable: 3,
  /** The plane knows the token too little, or not at all. */
  forbidden: 4,
  /** The plane or this program failed; the message says where. */
  failed: 5,
  /** Stopped by a signal before it was done. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_HELP = `
Exit codes: 0 done; 1 the answer is no (problems, a refusal, not enforced in time); 2 usage;
3 no plane answers; 4 the token does not allow it; 5 the plane or this program failed; 130 interrupted.`;
