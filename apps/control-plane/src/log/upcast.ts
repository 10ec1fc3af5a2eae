/**
 * Older forms of events. Bytes in the log never change: what was recorded in an older form is brought to the present one when it is read, step
 * by step. A form is raised when fields change their meaning; a new type of event needs none.
 *
 * To raise it: add the step to STEPS, and leave the golden file of the old form (`test/vectors/events`) as it is; the test asks for a new one.
 */

type Fields = Readonly<Record<string, unknown>>;

/** What of an event's body is kept for ever, and what may be erased (null where there is none, or where it was erased). */
export interface EventForm {
  readonly open: Fields;
  readonly closed: Fields | null;
}

/** From one form to the next. Pure. */
export type Step = (type: string, form: EventForm) => EventForm;

/** The first one leads from form 1 to form 2, and so on. */
const STEPS: readonly Step[] = [];

/** The form in which events are recorded now. */
export const SCHEMA = STEPS.length + 1;

/** The present form of what was recorded in the form `schema`; undefined where this version does not know it. */
export function upcast(type: string, schema: number, form: EventForm, steps: readonly Step[] = STEPS): EventForm | undefined {
  if (!Number.isSafeInteger(schema) || schema < 1 || schema > steps.length + 1) return undefined;
  return steps.slice(schema - 1).reduce((older, step) => step(type, older), form);
}
