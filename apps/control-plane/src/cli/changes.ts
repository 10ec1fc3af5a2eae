/** `portcullis confirm`, `rollback`, `hold`: deciding about the files' changes. */
import type { HoldView } from '../api/views.ts';
import type { FileOutcome } from '../api/write-back.ts';
import type { Hold, PolicyChange, Recorded } from '../domain/events.ts';
import { show, withPlane } from './command.ts';
import type { PlaneOptions } from './command.ts';
import type { ExitCode } from './exit.ts';
import { changes, happening } from './happening.ts';
import { holdText } from './status.ts';
import type { Terminal } from './terminal.ts';
import { wrapped } from './wrap.ts';

export interface ReasonOptions extends PlaneOptions {
  readonly reason?: string;
}

export interface DecisionOptions extends ReasonOptions {
  /** The version that was decided on. */
  readonly expect?: number;
}

interface Done {
  readonly version: number;
  readonly recorded: readonly Recorded[];
}

export async function confirm(change: string, options: DecisionOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) =>
    show(await plane.send<Done>('POST', `/v1/changes/${encodeURIComponent(change)}/confirm`, { expected: options.expect ?? null, ...because(options.reason) }), options, terminal, doneLines),
  );
}

export interface RollbackOptions extends PlaneOptions {
  readonly reason: string;
  readonly writeBack?: boolean;
  readonly expect?: number;
}

interface RolledBack extends Done {
  readonly to: number;
  readonly changes: readonly PolicyChange[];
  readonly holds: readonly Hold[];
  readonly files: readonly FileOutcome[] | null;
}

/** Puts an earlier version's policies in force again. */
export async function rollback(to: number, options: RollbackOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const body = { to, reason: options.reason, writeBack: options.writeBack === true, expected: options.expect ?? null };
    return show(await plane.send<RolledBack>('POST', '/v1/rollback', body), options, terminal, rolledBackLines);
  });
}

function rolledBackLines({ version, recorded, to, changes: changed, holds, files }: RolledBack): readonly string[] {
  const held = [...new Set(holds.map((hold) => hold.policy))];
  return [
    recorded.length === 0 ? `The policies of version ${to} are what is in force already, as version ${version}.` : `Version ${version} has the policies of version ${to}: ${changes(changed)}.`,
    ...(held.length === 0 ? [] : [`What was withdrawn stays out until it is released: portcullis hold release POLICY --as admin`, ...held.map((policy) => `  held: ${policy}`)]),
    ...(files ?? []).map(({ policy, did, detail }) => `  ${policy}: ${FILE_TEXT[did]}${detail === null ? '' : ` (${detail})`}`),
    ...(files?.length === 0 ? ['No file holds anything that was withdrawn: there was nothing to write.'] : []),
    ...(files === null && held.length > 0 ? ['The files on disk still differ from what is in force. To restore them as well:', `  portcullis rollback ${to} --write-back --reason TEXT --as admin`] : []),
  ];
}

const FILE_TEXT: Readonly<Record<FileOutcome['did'], string>> = { restored: 'file restored', 'set-aside': 'file set aside', left: 'file left as it is' };

export async function holdList(options: PlaneOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) =>
    show(await plane.get<{ readonly holds: readonly HoldView[] }>('/v1/holds'), options, terminal, ({ holds }) =>
      holds.length === 0 ? ['Nothing is held.'] : holds.flatMap((hold) => wrapped(`${hold.policy}: ${holdText(hold)}`)),
    ),
  );
}

export async function holdRelease(policy: string, options: DecisionOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => show(await plane.send<Done>('POST', '/v1/holds/release', { policy, expected: options.expect ?? null, ...because(options.reason) }), options, terminal, doneLines));
}

/** The optional reason as part of a body. */
export function because(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

/** What a command recorded, one line each. */
export function doneLines({ recorded, version }: Done): readonly string[] {
  return recorded.length === 0 ? [`Nothing had to change; the version is ${version}.`] : recorded.flatMap((one) => wrapped(`${one.seq}: ${happening(one)}`));
}
