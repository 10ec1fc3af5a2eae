/**
 * Plumbing (P8): the closed list of what keeps a session going. It always passes, also under a lockdown and where no policy
 * admits the server (lists are then empty), and never becomes a call. Everything that is not listed here is judged.
 *
 * Not plumbing, though one might think so: completion/complete (tells what a prompt or resource holds), every tasks/*
 * method (a task is a tool call under another name), resources/subscribe and unsubscribe, and whatever the upstream asks
 * of the agent: sampling/createMessage, elicitation/create, roots/list.
 */

export type Sender = 'client' | 'server';
export type Form = 'request' | 'notification';

/** Every plumbing method, by who sends it and in which form. */
export const PLUMBING: Readonly<Record<Sender, Readonly<Record<Form, readonly string[]>>>> = {
  client: {
    request: [
      // The handshake of either era; liveness.
      'initialize', 'server/discover', 'ping',
      // Answered by the upstream, filtered on the way back.
      'tools/list', 'resources/list', 'resources/templates/list', 'prompts/list',
      // How much the server says about itself.
      'logging/setLevel',
      // The 2026-07-28 channel for notifications; each resource it names is judged.
      'subscriptions/listen',
    ],
    notification: ['notifications/initialized', 'notifications/cancelled', 'notifications/progress', 'notifications/roots/list_changed'],
  },
  server: {
    request: ['ping'],
    // What says something about the session, about a request that was allowed, or about a subscription that was allowed. They carry no
    // request of their own.
    notification: [
      'notifications/cancelled', 'notifications/progress', 'notifications/message',
      'notifications/tools/list_changed', 'notifications/resources/list_changed', 'notifications/prompts/list_changed',
      'notifications/resources/updated', 'notifications/subscriptions/acknowledged',
      'notifications/tasks', 'notifications/tasks/status', 'notifications/elicitation/complete',
    ],
  },
};

const SETS = {
  client: { request: new Set(PLUMBING.client.request), notification: new Set(PLUMBING.client.notification) },
  server: { request: new Set(PLUMBING.server.request), notification: new Set(PLUMBING.server.notification) },
} as const;

/** Whether a message always passes. A known name in the wrong form (a `ping` without id) does not. */
export function isPlumbing(sender: Sender, form: Form, method: string): boolean {
  return SETS[sender][form].has(method);
}
