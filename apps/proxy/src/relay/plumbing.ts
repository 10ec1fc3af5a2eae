/**
 * Plumbing: the closed list of what keeps a session going. It always passes, also under a lockdown and where no policy
 * admits the server (lists are then empty), and never becomes a call. Everything that is not listed here is judged.
 *
 * From the agent, requests:
 *   initialize, server/discover           the handshake of either era
 *   ping                                  liveness
 *   tools/list, resources/list, resources/templates/list, prompts/list   answered by the upstream, filtered on the way back
 *   logging/setLevel                      how much the server says about itself
 *   subscriptions/listen                  the 2026-07-28 channel for notifications; each resource it names is judged
 * From the agent, notifications:
 *   notifications/initialized, notifications/cancelled, notifications/progress, notifications/roots/list_changed
 * From the upstream, requests:
 *   ping
 * From the upstream, notifications:
 *   what says something about the session, about a request that was allowed, or about a subscription that was allowed.
 *   They carry no request of their own.
 *
 * Not plumbing, though one might think so: completion/complete (tells what a prompt or resource holds), every tasks/*
 * method (a task is a tool call under another name), resources/subscribe and unsubscribe, and whatever the upstream asks
 * of the agent: sampling/createMessage, elicitation/create, roots/list.
 */
const CLIENT_REQUESTS = new Set([
  'initialize', 'server/discover', 'ping', 'tools/list', 'resources/list', 'resources/templates/list', 'prompts/list', 'logging/setLevel', 'subscriptions/listen',
]);

const CLIENT_NOTIFICATIONS = new Set(['notifications/initialized', 'notifications/cancelled', 'notifications/progress', 'notifications/roots/list_changed']);

const SERVER_REQUESTS = new Set(['ping']);

const SERVER_NOTIFICATIONS = new Set([
  'notifications/cancelled', 'notifications/progress', 'notifications/message',
  'notifications/tools/list_changed', 'notifications/resources/list_changed', 'notifications/prompts/list_changed',
  'notifications/resources/updated', 'notifications/subscriptions/acknowledged',
  'notifications/tasks', 'notifications/tasks/status', 'notifications/elicitation/complete',
]);

export type Sender = 'client' | 'server';
export type Form = 'request' | 'notification';

/** Whether a message always passes. A known name in the wrong form (a `ping` without id) does not: see `hasWrongForm`. */
export function isPlumbing(sender: Sender, form: Form, method: string): boolean {
  if (sender === 'client') return (form === 'request' ? CLIENT_REQUESTS : CLIENT_NOTIFICATIONS).has(method);
  return (form === 'request' ? SERVER_REQUESTS : SERVER_NOTIFICATIONS).has(method);
}

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
