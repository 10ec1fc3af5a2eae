/** `portcullis key rotate`, `log erase`, `log restore`: keeping the log. */
import path from 'node:path';
import { portcullisHome, readDiscovery } from '../discovery.ts';
import type { Recorded } from '../domain/events.ts';
import type { RestoredLog } from '../restore-log.ts';
import { doneLines } from './changes.ts';
import { show, withPlane } from './command.ts';
import type { PlaneOptions } from './command.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

interface Done {
  readonly version: number;
  readonly recorded: readonly Recorded[];
}

export interface RotateOptions extends PlaneOptions {
  readonly reason: string;
}

/** Has the plane make a new signing key, and shows it. */
export async function keyRotate(options: RotateOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) =>
    show(await plane.send<Done & { readonly publicKey: string; readonly verifierKey?: string }>('POST', '/v1/key/rotate', { reason: options.reason }), options, terminal, ({ version, publicKey, verifierKey }) => [
      `The plane signs with a new key as of version ${version}. Write its verifier key down elsewhere, beside the one before it:`,
      `  ${verifierKey ?? publicKey}`,
      'Connected proxies have it; others follow when they come back. A checkpoint or key that was kept before goes on to count.',
    ]),
  );
}

export interface EraseOptions extends PlaneOptions {
  readonly reason: string;
  readonly actor?: string;
}

/** Erases the reason and names of one event, or of everything that one actor did. */
export async function logErase(seq: number | undefined, options: EraseOptions, terminal: Terminal): Promise<ExitCode> {
  if ((seq === undefined) === (options.actor === undefined)) {
    terminal.err('Say what to erase: the seq of one event, or --actor ID for the reasons and the name of one operator or host.');
    return EXIT.usage;
  }
  return withPlane(options, terminal, async (plane) => {
    const target = seq === undefined ? { actor: options.actor } : { seq };
    return show(await plane.send<Done>('POST', '/v1/log/erase', { ...target, reason: options.reason }), options, terminal, (done) => [
      ...doneLines(done),
      'Copies made before, backups and exports among them, still have it.',
    ]);
  });
}

export interface RestoreOptions {
  readonly data?: string;
  readonly recoveryKey?: string;
  readonly withoutRecoveryKey?: boolean;
  readonly reason: string;
  readonly json?: boolean;
}

/** Goes on from a backup under another log. The plane must not be running. */
export async function logRestore(options: RestoreOptions, terminal: Terminal): Promise<ExitCode> {
  const { recoveryKey, withoutRecoveryKey = false, reason } = options;
  if ((recoveryKey === undefined) === !withoutRecoveryKey) {
    terminal.err('Give --recovery-key FILE, so that hosts follow by themselves; or, where it is lost, --without-recovery-key.');
    return EXIT.usage;
  }
  const dataDir = path.resolve(terminal.cwd, options.data ?? readDiscovery(portcullisHome(terminal.env))?.dataDir ?? 'data');
  const { restoreDataDirectory } = await import('../restore-log.ts');
  const restored = restoreDataDirectory({ dataDir, recoveryKey: recoveryKey === undefined ? null : path.resolve(terminal.cwd, recoveryKey), reason, nowMs: terminal.now() });
  if (!restored.ok) {
    terminal.err(printable(restored.problem));
    return EXIT.no;
  }
  if (options.json === true) terminal.out(JSON.stringify(restored));
  else for (const line of restoredLines(restored)) terminal.out(printable(line));
  return EXIT.ok;
}

function restoredLines({ log, previousLog, previousSize, verifierKey, signed, recoveryKeyPath }: Extract<RestoredLog, { ok: true }>): readonly string[] {
  return [
    `The plane goes on as log ${log}, from the ${previousSize} events of ${previousLog} that were in the backup. Start it again with portcullis serve.`,
    `Its verifier key, to be kept elsewhere: ${verifierKey}`,
    ...(signed ? ['Hosts that were enrolled by then follow by themselves.'] : [`Nobody can vouch for this: run on each host  portcullis-proxy trust ${log}`]),
    ...(recoveryKeyPath === null ? [] : [`A new recovery key is in ${recoveryKeyPath}. Move it off this machine now.`]),
    'What was recorded after the backup is gone: look at restrictions, holds and revoked hosts first, and let hosts that joined since join again.',
  ];
}
