/** `portcullis tail`: decisions as proxies report them. */
import type { StoredDecision } from '../decisions/decisions.ts';
import { fail, withPlane } from './command.ts';
import type { PlaneOptions } from './command.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

export interface TailOptions extends PlaneOptions {
  readonly host?: string;
  readonly server?: string;
  readonly tool?: string;
  readonly decision?: 'allow' | 'deny';
  /** How many past decisions to begin with. */
  readonly last?: number;
}

/** Prints until the person stops it or the plane goes away. */
export async function tail(options: TailOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const filter = { host: options.host, server: options.server, tool: options.tool, decision: options.decision };
    if (options.last !== undefined && options.last > 0) {
      const past = await plane.get<{ readonly decisions: readonly StoredDecision[] }>('/v1/decisions', { ...filter, limit: options.last });
      if (!past.ok) return fail(past.failure, options, terminal);
      for (const row of past.value.decisions.toReversed()) printRow(row, options, terminal);
    }
    const ended = await plane.stream(
      '/v1/decisions/stream',
      filter,
      (event, data) => {
        if (event === 'decision') printRow(data as StoredDecision, options, terminal);
        else if (event === 'missed') terminal.err(`(${(data as { readonly count: number }).count} decisions were left out: they came faster than they were read)`);
      },
      terminal.signal,
    );
    if (!ended.ok) return fail(ended.failure, options, terminal);
    if (!terminal.signal.aborted) terminal.err('The plane ended the stream.');
    return terminal.signal.aborted ? EXIT.ok : EXIT.unreachable;
  });
}

function printRow(row: StoredDecision, options: TailOptions, terminal: Terminal): void {
  terminal.out(options.json === true ? JSON.stringify(row) : printable(line(row)));
}

function line(row: StoredDecision): string {
  const moment = new Date(row.atMs).toISOString().slice(11, 23);
  const why = row.decision === 'deny' ? `  ${row.reason}${row.rule === null ? '' : ` "${row.rule}"`}${row.sources[0] === undefined ? '' : ` (${row.sources[0]})`}` : '';
  const stale = row.freshness === 'fresh' ? '' : `  [${row.freshness}]`;
  return `${moment}  ${row.decision.toUpperCase().padEnd(5)}  ${row.host}/${row.server}  ${row.kind} ${row.name}${why}${stale}`;
}
