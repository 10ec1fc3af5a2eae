/** `portcullis log`, `show`, `diff`: the past. */
import type { PolicyDifference } from '../domain/diff.ts';
import type { ReachDifference, ReachDifferences } from '../domain/reach.ts';
import type { Recorded } from '../domain/events.ts';
import type { PolicyInForce, RestrictionInForce } from '../domain/state.ts';
import type { Restriction } from '@portcullis/policy-core';
import { complain, fail, print, show as showAnswer, withPlane } from './command.ts';
import type { PlaneOptions } from './command.ts';
import type { Connection } from './connection.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { happening, labelsText, restrictionText, shortId } from './happening.ts';
import { linesOf, printable } from './printable.ts';
import { moment, table, tableRows } from './table.ts';
import type { Terminal } from './terminal.ts';
import { wrapped } from './wrap.ts';

export interface LogOptions extends PlaneOptions {
  readonly limit?: number;
  readonly before?: number;
  readonly from?: number;
  readonly type?: readonly string[];
  readonly policy?: string;
  readonly actor?: string;
}

interface Page {
  readonly events: readonly Recorded[];
  /** Not there from a plane of an older version. */
  readonly names?: Names;
  readonly next: number | null;
}

/** What operators and hosts are called, by id. */
type Names = Readonly<Record<string, string>>;

const DEFAULT_LIMIT = 20;

/** Events, newest first. */
export async function log(options: LogOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const { limit = DEFAULT_LIMIT, before, from, type, policy, actor } = options;
    const page = await plane.get<Page>('/v1/log', { limit, before, from, types: type?.join(','), policy, actor });
    if (page.ok && page.value.events.length === 0 && policy !== undefined) return unmentioned(plane, policy, page.value, options, terminal);
    return showAnswer(page, options, terminal, ({ events, names = {}, next }) => [
      ...(events.length === 0 ? ['Nothing of the kind is recorded.'] : eventLines(events, names)),
      ...(next === null ? [] : [`Older: add --before ${next}`]),
    ]);
  });
}

/** One event, in full. */
export async function logOne(seq: number, options: LogOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const page = await plane.get<Page>('/v1/log', { limit: 1, from: seq, before: seq + 1 });
    if (!page.ok) return fail(page.failure, options, terminal);
    const [recorded] = page.value.events;
    if (recorded === undefined) return complain(EXIT.no, 'not-found', `There is no event ${seq} yet. \`portcullis log\` shows the newest.`, options, terminal);
    // Frames of problems are the policy language's business, which no other command about the past waits for.
    const { eventInFull } = await import('./one-event.ts');
    print(recorded, options, terminal, () => eventInFull(recorded, actorText(recorded, page.value.names ?? {})));
    return EXIT.ok;
  });
}

/** No event was found that speaks of a policy: perhaps there never was one of that name. */
async function unmentioned(plane: Connection, policy: string, page: Page, options: LogOptions, terminal: Terminal): Promise<ExitCode> {
  const status = await plane.get<{ readonly policies: readonly { readonly policy: string }[] }>('/v1/status');
  const inForce = status.ok ? status.value.policies.map((one) => one.policy) : [policy];
  if (inForce.includes(policy)) return showAnswer({ ok: true, value: page }, options, terminal, () => ['Nothing of the kind is recorded.']);
  const more = inForce.length > MAX_SUGGESTED ? ` and ${inForce.length - MAX_SUGGESTED} more` : '';
  return complain(EXIT.no, 'not-found', printable(`Nothing of the kind is recorded of a policy ${policy}. In force are: ${inForce.slice(0, MAX_SUGGESTED).join(', ') || 'none'}${more}.`), options, terminal);
}

/** More names than that is no help to somebody who looks for a typing error. */
const MAX_SUGGESTED = 20;

/** A table without the reasons, each of which gets lines of its own. */
function eventLines(events: readonly Recorded[], names: Names): readonly string[] {
  const { titles, lines } = tableRows(
    [
      { title: 'seq', cell: (one) => String(one.seq) },
      { title: 'when', cell: (one) => moment(one.atMs) },
      { title: 'who', cell: (one) => actorText(one, names), least: 22 },
      { title: 'what', cell: (one) => happening(one), least: 40, wraps: true },
    ],
    events,
  );
  return [titles, ...events.flatMap((one, index) => [...(lines[index] ?? []), ...reasonLine(one)])];
}

function reasonLine({ reason, reasonErased }: Recorded): readonly string[] {
  return reason === null && !reasonErased ? [] : wrapped(`       because ${reasonErased ? '(erased)' : (reason ?? '')}`);
}

function actorText({ actor }: Recorded, names: Names): string {
  if (actor.kind === actor.id) return actor.id;
  return Object.hasOwn(names, actor.id) ? `${names[actor.id] ?? ''} (${shortId(actor.id)})` : `${actor.kind} ${actor.id}`;
}

interface VersionView {
  readonly version: number;
  readonly note: string | null;
  readonly event: Recorded;
  /** Not there from a plane of an older version. */
  readonly names?: Names;
  readonly policies: readonly PolicyInForce[];
  readonly restrictions: readonly RestrictionInForce[];
}

/** What was in force at a version, or the text of one of its policies. */
export async function show(version: number, policy: string | undefined, options: PlaneOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    if (policy === undefined) return showAnswer(await plane.get<VersionView>(`/v1/versions/${version}`), options, terminal, versionLines);
    const text = await plane.get<{ readonly text: string; readonly note: string | null }>(`/v1/versions/${version}/policy`, { id: policy });
    if (text.ok && text.value.note !== null && options.json !== true) terminal.err(printable(text.value.note));
    return showAnswer(text, options, terminal, (found) => linesOf(found.text.replace(/\n$/, '')));
  });
}

function versionLines({ version, note, event, names = {}, policies, restrictions }: VersionView): readonly string[] {
  return [
    ...(note === null ? [] : [note]),
    ...wrapped(`version ${version}, ${moment(event.atMs)}, by ${actorText(event, names)}: ${happening(event)}`),
    ...reasonLine(event),
    ...(policies.length === 0 ? ['No policies were in force.'] : []),
    ...table(
      [
        { title: 'policy', cell: (one) => one.policy, least: 20 },
        { title: 'since', cell: (one) => String(one.since) },
        { title: 'from', cell: (one) => moment(one.sinceMs) },
        { title: 'bytes', cell: (one) => String(one.content.textBytes) },
        { title: 'sha256', cell: (one) => one.content.textSha256.slice(0, 12) },
      ],
      policies,
    ),
    ...restrictions.flatMap(({ restriction }) => wrapped(`restriction ${restriction.id}: denies ${restrictionText(restriction)}. Reason: ${restriction.reason}`)),
  ];
}

interface DiffView {
  readonly from: number;
  readonly to: number;
  readonly notes: readonly string[];
  readonly changes: readonly PolicyDifference[];
  /** Not there from a plane of an older version, as are its limits. */
  readonly reach?: Omit<ReachDifferences, 'changes'> & { readonly changes: readonly (Omit<ReachDifference, 'limits'> & Partial<Pick<ReachDifference, 'limits'>>)[] };
  readonly texts: readonly { readonly policy: string; readonly unified: string }[];
  readonly imposed: readonly Restriction[];
  readonly ended: readonly Restriction[];
}

export interface DiffOptions extends PlaneOptions {
  readonly text?: boolean;
}

/** What changed between two versions: by meaning, or with `--text` as the files' lines. */
export async function diff(from: number, to: number, options: DiffOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => showAnswer(await plane.get<DiffView>('/v1/diff', { from, to }), options, terminal, (view) => diffLines(view, options.text === true)));
}

function diffLines(view: DiffView, asText: boolean): readonly string[] {
  const lines = [
    ...view.notes,
    ...view.imposed.map((one) => `+ restriction ${one.id}: denies ${restrictionText(one)}`),
    ...view.ended.map((one) => `- restriction ${one.id}: denied ${restrictionText(one)}`),
    ...(asText ? [] : [...reachLines(view.reach), ...view.changes.flatMap(changeLines)]),
  ].flatMap((line) => wrapped(line));
  if (asText) lines.push(...view.texts.flatMap((text) => linesOf(text.unified.trimEnd())));
  if (!asText && view.texts.length > view.changes.length) lines.push('(Some texts differ in comments, order or layout only: --text shows them.)');
  return lines.length === 0 ? [`Nothing changed between ${view.from} and ${view.to}.`] : lines;
}

/** What the change means to those who call. */
function reachLines(reach: DiffView['reach']): readonly string[] {
  if (reach === undefined || reach.changes.length === 0) return [];
  const { changes, cut } = reach;
  const more = changes.length - MAX_REACH;
  return [
    'For callers:',
    ...changes.slice(0, MAX_REACH).map(({ server, labels, tool, visible, calls, limits }) => {
      const seen = visible.before === visible.after ? [] : [visible.after ? 'visible' : 'hidden'];
      const called = calls.before === calls.after ? [] : [OUTLOOK[calls.after]];
      const limited = limits === undefined || calls.after === 'denied' || limits.before.join() === limits.after.join() ? [] : [limitsText(limits)];
      return `  ${server} ${tool}${labelsText(labels)}: ${[...seen, ...called, ...limited].join(', ')}`;
    }),
    ...(more > 0 || cut ? [`  and ${more > 0 ? `${more} more` : 'more than is looked at'}; --json has ${cut ? 'what was looked at' : 'all'}`] : []),
  ];
}

function limitsText({ before, after }: ReachDifference['limits']): string {
  const was = before.length === 0 ? '' : ` (was ${before.join(' and ')})`;
  return after.length === 0 ? `no limit any more${was}` : `at most ${after.join(' and ')}${was}`;
}

/** Lines about tools; a change of a default is about all of them. */
const MAX_REACH = 50;
const OUTLOOK = { allowed: 'every call allowed', denied: 'every call denied', depends: 'calls allowed as rules say' } as const;

const MARK = { added: '+', removed: '-', changed: '~' } as const;

function changeLines({ policy, kind, parts }: PolicyDifference): readonly string[] {
  return [
    `${MARK[kind]} ${policy}`,
    ...parts.map((part) => {
      const values = part.kind === 'changed' ? `${part.before ?? ''} -> ${part.after ?? ''}` : (part.after ?? part.before ?? '');
      return `    ${MARK[part.kind]} ${part.path.join(' > ')}${values === '' ? '' : `: ${values}`}`;
    }),
  ];
}
