/**
 * Who may do what: the one table. A responder can shut things, and cannot open them again; an editor also decides what the
 * files' policies mean; an admin lifts restrictions and hands out access.
 */
import { ROLES } from '../domain/events.ts';
import type { Role } from '../domain/events.ts';

/** The least role that may do each thing. */
const LEAST = {
  /** Everything that only looks, decisions included. */
  read: 'viewer',
  /** Lockdowns and other restrictions: they only take permissions away. */
  restrict: 'responder',
  /** Lets the removal of policies through, which may loosen. */
  confirm: 'editor',
  rollback: 'editor',
  'release-hold': 'editor',
  /** Gives permissions back. */
  lift: 'admin',
  /** Decides which policies a host gets. A revoked host is out of reach of the next restriction, so revoking is no mere tightening. */
  'manage-hosts': 'admin',
  'manage-join-tokens': 'admin',
  'manage-tokens': 'admin',
  'rotate-key': 'admin',
  /** What is erased is gone for ever. */
  erase: 'admin',
} as const satisfies Readonly<Record<string, Role>>;

export type Action = keyof typeof LEAST;
export const ACTIONS = Object.keys(LEAST) as readonly Action[];

/** Whether `role` may do `action`. */
export function permits(role: Role, action: Action): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(LEAST[action]);
}

/** The least role that may do `action`, for the message to those who may not. */
export function leastRole(action: Action): Role {
  return LEAST[action];
}

/** Why the holder of this token may not do `action`; null where it may. */
export function whyNot({ role, name }: { readonly role: Role; readonly name: string }, action: Action): string | null {
  return permits(role, action) ? null : `The token ${JSON.stringify(name)} has the role ${role}; this needs ${leastRole(action)}.`;
}
