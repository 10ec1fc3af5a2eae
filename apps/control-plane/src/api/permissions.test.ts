import { describe, expect, it } from 'vitest';
import { MATRIX } from '../../../../test/api/permission-table.ts';
import { ROLES } from '../domain/events.ts';
import { ACTIONS, leastRole, permits } from './permissions.ts';

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
