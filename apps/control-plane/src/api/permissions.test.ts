import { describe, expect, it } from 'vitest';
import { ROLES } from '../domain/events.ts';
import type { Role } from '../domain/events.ts';
import { ACTIONS, leastRole, permits } from './permissions.ts';
import type { Action } from './permissions.ts';

/** Written out a second time on purpose: who changes the table must want it here too. */
const MATRIX: Readonly<Record<Action, readonly Role[]>> = {
  read: ['viewer', 'responder', 'editor', 'admin'],
  restrict: ['responder', 'editor', 'admin'],
  confirm: ['editor', 'admin'],
  rollback: ['editor', 'admin'],
  'release-hold': ['editor', 'admin'],
  lift: ['admin'],
  'manage-hosts': ['admin'],
  'manage-join-tokens': ['admin'],
  'manage-tokens': ['admin'],
  'rotate-key': ['admin'],
  erase: ['admin'],
};

describe('the table of permissions', () => {
  it('[O1] has a row for every action', () => {
    expect(Object.keys(MATRIX).sort()).toEqual([...ACTIONS].sort());
  });

  for (const action of ACTIONS) {
    for (const role of ROLES) {
      const may = MATRIX[action].includes(role);
      it(`[O1] ${role} ${may ? 'may' : 'may not'} ${action}`, () => expect(permits(role, action)).toBe(may));
    }
    it(`[O1] names the least role for ${action}`, () => expect(leastRole(action)).toBe(MATRIX[action][0]));
  }

  it('[O1] lets a responder do nothing that loosens', () => {
    const allowed = ACTIONS.filter((action) => permits('responder', action));
    expect(allowed.sort()).toEqual(['read', 'restrict']);
  });
});
