/** Which proxies a policy applies to, whether it admits the servers it names (E2), and what happens when a proxy is cut off. */
import { MAX_GLOB_LENGTH, namesNothing } from '../glob.ts';
import type { Match, OnStale } from '../policy.ts';
import { quote } from '../problem.ts';
import type { Findings } from './findings.ts';
import { child, isBlank, isNull, placeOf, textOf, valueOf, valuePlaceOf, wordOf } from './nodes.ts';
import type { MapNode, Node, ScalarNode } from './nodes.ts';

/** Labels are few by nature; every one is looked at for every proxy. */
const MAX_LABELS = 64;
/** Names of labels as they cross the wire. */
const MAX_LABEL_LENGTH = 256;
/** Globs of one list under match. */
const MAX_MATCH_GLOBS = 1000;
/** Longer than any outage, short enough that a slip of the keyboard shows. */
const MAX_STALE_MS = 366 * 24 * 3600 * 1000;

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** The name of the file without folder and extension. */
export function stemOf(id: string): string {
  return (id.split('/').at(-1) ?? id).replace(/\.ya?ml$/, '');
}

/** Reads `match`. Where it names no server, the policy is for the server named like its file. */
export function readMatch(document: MapNode, id: string, findings: Findings): Match {
  const match = child(document, 'match');
  const stem = stemOf(id);
  if (match?.kind !== 'map') return { server: [stem], labels: {}, upstream: [] };
  const labels = readLabels(match, findings);
  if (child(match, 'server') === null && Object.keys(labels).length > 0) {
    findings.warn('MATCH', placeOf(match, 'labels'), `match names labels and no server, so the policy is for the server ${quote(stem)} only: write \`server: ${stem}\`, or \`server: "*"\` for every server`);
  }
  return { server: readGlobs(match, 'server', findings) ?? [stem], labels, upstream: readGlobs(match, 'upstream', findings) ?? [] };
}

/** E2: whether the policy opens the servers it matches. */
export function readAdmits(document: MapNode, match: Match): boolean {
  const written = child(document, 'admits');
  const said = written?.kind === 'scalar' ? valueOf(written) : null;
  return said?.kind === 'bool' ? said.value : match.server.some((glob) => !namesNothing(glob));
}

/** Reads `on_stale`, or null where it is left out or wrong. */
export function readOnStale(document: MapNode, findings: Findings): OnStale | null {
  const stale = child(document, 'on_stale');
  if (stale?.kind !== 'map') return null;
  const after = textOf(stale, 'after');
  const afterMs = after === null ? null : durationMs(after);
  if (after !== null && (afterMs === null || afterMs <= 0 || afterMs > MAX_STALE_MS)) {
    findings.error('DURATION', valuePlaceOf(stale, 'after'), `${quote(after)} is no duration above zero and up to a year: write for example \`90s\`, \`10m\`, \`1h30m\` or \`2d\``);
    return null;
  }
  return afterMs === null || wordOf(stale, 'do', ['deny']) === null ? null : { afterMs, do: 'deny' };
}

function durationMs(text: string): number | null {
  if (text.length > 32 || !/^(\d{1,9}[smhd])+$/.test(text)) return null;
  return [...text.matchAll(/(\d+)([smhd])/g)].reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS.get(unit ?? '') ?? 0), 0);
}

function readLabels(match: MapNode, findings: Findings): Match['labels'] {
  const labels = child(match, 'labels');
  if (labels?.kind !== 'map') return {};
  if (labels.pairs.size > MAX_LABELS) findings.error('MATCH', labels.offset, `match may name ${MAX_LABELS} labels, not ${labels.pairs.size}`);
  const read = [...labels.pairs].map(([label, { key }]) => {
    if (isBlank(label) || label.length > MAX_LABEL_LENGTH) findings.error('MATCH', key.offset, `the name of a label has 1 to ${MAX_LABEL_LENGTH} characters and is not blank`);
    const values = readGlobs(labels, label, findings);
    if (values === null) findings.error('MATCH', key.offset, `the label ${quote(label)} has no value: write the values that it may have, or \`"*"\` for any`);
    return [label, values ?? []] as const;
  });
  return Object.fromEntries(read);
}

/** One glob or a list of them; null where the key is left out. */
function readGlobs(map: MapNode, key: string, findings: Findings): readonly string[] | null {
  const node = child(map, key);
  if (node === null || node.kind === 'map') return null;
  const items: readonly Node[] = node.kind === 'list' ? node.items.filter((item) => !isNull(item)) : [node];
  if (items.length === 0) findings.error('MATCH', node.offset, `${quote(key)} is an empty list, which nothing matches: name something, or leave the key out`);
  if (items.length > MAX_MATCH_GLOBS) findings.error('MATCH', node.offset, `${quote(key)} may have ${MAX_MATCH_GLOBS} globs, not ${items.length}`);
  const texts = items.filter((item): item is ScalarNode => item.kind === 'scalar');
  for (const { text, offset } of texts) {
    if (isBlank(text)) findings.error('MATCH', offset, `${quote(key)} has a blank glob: remove it`);
    else if (text.length > MAX_GLOB_LENGTH) findings.error('GLOB', offset, `a glob may have ${MAX_GLOB_LENGTH} characters, not ${text.length}`);
  }
  return texts.map(({ text }) => text);
}
