/** What labels, globs and names may look like: people and programs type them, and every snapshot carries them. */
import type { Labels, Selector } from '@portcullis/policy-core';

/** Labels of one host, or labels that one selector names: more than any inventory distinguishes. */
export const MAX_LABELS = 64;
/** A label's name: what Kubernetes allows for a name with its prefix, roughly; no spaces, nothing that needs quoting. */
const LABEL_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,98}[A-Za-z0-9])?$/;
/** A label's value. */
export const MAX_LABEL_VALUE_LENGTH = 256;
/** Globs in one list of a selector or restriction: beyond this a policy says it better. */
export const MAX_GLOBS = 256;
/** One glob: longer than any name that a server lists. */
export const MAX_GLOB_LENGTH = 1_024;
/** What hosts and tokens are called by people. */
export const MAX_NAME_LENGTH = 200;
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f]/;

/** Why these labels are refused; undefined where they are well formed. */
export function badLabels(labels: Labels): string | undefined {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) return `${entries.length} labels are more than the ${MAX_LABELS} that a host may have`;
  for (const [name, value] of entries) {
    if (!LABEL_NAME.test(name)) return `${JSON.stringify(name)} is no label name: letters, digits and . _ / - between them, at most 100`;
    if (value === '' || value.length > MAX_LABEL_VALUE_LENGTH || UNPRINTABLE.test(value)) {
      return `the label ${name} needs a printable value of 1 to ${MAX_LABEL_VALUE_LENGTH} characters`;
    }
  }
  return undefined;
}

/** Why this selector is refused. */
export function badSelector(selector: Selector): string | undefined {
  const entries = Object.entries(selector.labels);
  if (entries.length > MAX_LABELS) return `a selector names at most ${MAX_LABELS} labels`;
  for (const [name, globs] of entries) {
    if (!LABEL_NAME.test(name)) return `${JSON.stringify(name)} is no label name: letters, digits and . _ / - between them, at most 100`;
    // A label without values would select nobody, and look like a restriction of everybody.
    if (globs.length === 0) return `the label ${name} of the selector has no value, so nothing would be selected: name one, or leave the label out`;
    const bad = badGlobs(globs, `the label ${name}`);
    if (bad !== undefined) return bad;
  }
  return badGlobs(selector.server, 'server');
}

export function badGlobs(globs: readonly string[], where: string): string | undefined {
  if (globs.length > MAX_GLOBS) return `${where}: ${globs.length} globs are more than ${MAX_GLOBS}`;
  const bad = globs.find((glob) => glob === '' || glob.length > MAX_GLOB_LENGTH || UNPRINTABLE.test(glob));
  return bad === undefined ? undefined : `${where}: ${JSON.stringify(bad.slice(0, 40))} is no glob: 1 to ${MAX_GLOB_LENGTH} printable characters`;
}

export function badName(name: string, what: string): string | undefined {
  if (name.trim() === '' || name.length > MAX_NAME_LENGTH || UNPRINTABLE.test(name)) return `${what} needs a printable name of 1 to ${MAX_NAME_LENGTH} characters`;
  return undefined;
}
