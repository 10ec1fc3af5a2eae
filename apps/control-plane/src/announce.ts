/** What `serve` says as it happens: one line per event, and for a refusal everything that its author needs to mend it. */
import { changes, happening, refusalText } from './cli/happening.ts';
import { printable } from './cli/printable.ts';
import { problemLines } from './cli/problem-lines.ts';
import type { Recorded } from './domain/events.ts';

/** Problems printed for one refused document; `portcullis check` prints them all. */
const MAX_PROBLEMS = 20;

/** An event as lines for people. */
export function announcement(recorded: Recorded): readonly string[] {
  const { event, seq, reason } = recorded;
  switch (event.type) {
    case 'PolicySetPublished':
      return [said(recorded, `published version ${seq}: ${changes(event.changes)}${event.git === null ? '' : ` (commit ${event.git.commit.slice(0, 10)}, ${event.git.claimedAuthor}: ${event.git.subject})`}`)];
    case 'ChangeRefused': {
      const problems = event.problems.slice(0, MAX_PROBLEMS).flatMap(problemLines);
      const more = event.problems.length - MAX_PROBLEMS;
      return [...problems, ...(more > 0 ? [`… and ${more} more: portcullis check shows them all`] : []), said(recorded, `${refusalText(event.why)}: ${event.message}`)];
    }
    case 'RestrictionImposed':
      return [said(recorded, `version ${seq}: restriction ${happening(recorded)}; reason: ${event.restriction.reason}`)];
    default:
      return [said(recorded, `${happening(recorded)}${reason === null ? '' : `; reason: ${reason}`}`)];
  }
}

function said({ atMs }: Recorded, text: string): string {
  return printable(`${new Date(atMs).toISOString().slice(11, 19)} ${text}`);
}
