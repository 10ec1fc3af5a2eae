/**
 * What a message is before it becomes a call: plumbing passes (the list is the policy language's own, so that a policy file is
 * checked against the very list that the relay goes by), and a method in the wrong form is refused.
 */
import { isPlumbing, PLUMBING } from '@portcullis/policy-core/plumbing';
import type { PlumbingForm as Form, PlumbingSender as Sender } from '@portcullis/policy-core';

export { isPlumbing };
export type { Form, Sender };

const CLIENT_REQUESTS: ReadonlySet<string> = new Set(PLUMBING.client.request);

/** Requests that are judged by what they name. */
const JUDGED_REQUESTS = new Set(['tools/call', 'resources/read', 'resources/subscribe', 'resources/unsubscribe', 'prompts/get', 'completion/complete']);

/**
 * True for a request without id or a notification with one: a server that goes by the name does what nobody is told about,
 * one that goes by the id does nothing.
 */
export function hasWrongForm(form: Form, method: string): boolean {
  if (form === 'request') return method.startsWith('notifications/');
  return CLIENT_REQUESTS.has(method) || JUDGED_REQUESTS.has(method) || method.startsWith('tasks/');
}
