/**
 * The two tokens of this machine's own users. They are made at the first start, as events like any other token, and kept as
 * long as their files are valid; what was lost or revoked is made anew, and what it replaces is revoked.
 */
import path from 'node:path';
import { makeToken, recognise } from './api/operator-token.ts';
import { readSecret, writeSecret } from './discovery.ts';
import type { Meta } from './domain/command.ts';
import type { Plane } from './plane.ts';

const LOCAL_ROLES = ['responder', 'admin'] as const;
type LocalRole = (typeof LOCAL_ROLES)[number];

export type LocalTokens =
  | { readonly ok: true; readonly files: Readonly<Record<LocalRole, string>>; readonly ids: ReadonlySet<string> }
  | { readonly ok: false; readonly problem: string };

/** Makes sure that both files hold valid tokens. They lie below `home`, one folder for each log. */
export function ensureLocalTokens(plane: Plane, home: string, now: () => number, random: (bytes: number) => Buffer): LocalTokens {
  const folder = path.join(home, 'planes', plane.state().log.replace(/[^A-Za-z0-9.-]/g, '_'));
  const files = { responder: path.join(folder, 'responder.token'), admin: path.join(folder, 'admin.token') };
  const ids = new Set<string>();
  for (const role of LOCAL_ROLES) {
    const file = files[role];
    const valid = recognise(readSecret(file)?.trim() ?? '', plane.state().operatorTokens);
    if (valid?.role === role) {
      ids.add(valid.token);
      continue;
    }
    try {
      ids.add(replace(plane, role, file, now(), random));
    } catch (error) {
      return { ok: false, problem: `The local ${role} token cannot be kept in ${file}: ${error instanceof Error ? error.message : String(error)}.` };
    }
  }
  return { ok: true, files, ids };
}

function replace(plane: Plane, role: LocalRole, file: string, nowMs: number, random: (bytes: number) => Buffer): string {
  const name = `local ${role}`;
  const meta: Meta = { nowMs, actor: { kind: 'plane', id: 'plane' }, auth: { method: 'none', ref: null }, reason: null, idem: null, cause: null };
  const before = [...plane.state().operatorTokens.values()].filter((token) => token.name === name && !token.revoked);
  const made = makeToken(random);
  const created = plane.execute({ kind: 'create-operator-token', token: made.id, secretSha256: made.secretSha256, name, role }, meta);
  if (!created.ok) throw new Error(created.refusal.message);
  writeSecret(file, `${made.text}\n`);
  for (const { token } of before) plane.execute({ kind: 'revoke-operator-token', token }, meta);
  return made.id;
}
