/** What `doctor` has found out about one thing. */
export interface Finding {
  readonly check: 'folder' | 'enrolment' | 'plane' | 'clock' | 'server' | 'counters' | 'separation';
  /** `wrong`: something is denied, not enforced as it should be, or cannot be kept. `warning`: it works, and somebody should know. */
  readonly level: 'ok' | 'warning' | 'wrong';
  /** What was found and, unless that is well, what to do. */
  readonly message: string;
}

export function ok(check: Finding['check'], message: string): Finding {
  return { check, level: 'ok', message };
}

export function warning(check: Finding['check'], message: string): Finding {
  return { check, level: 'warning', message };
}

export function wrong(check: Finding['check'], message: string): Finding {
  return { check, level: 'wrong', message };
}
