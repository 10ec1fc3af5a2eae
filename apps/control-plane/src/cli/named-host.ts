/** Hosts as people type them: by the name that every table shows, or by id. */
import type { HostView } from '../api/views.ts';
import type { Answered, Connection } from './connection.ts';
import { EXIT } from './exit.ts';
import { printable } from './printable.ts';

/** More names than that is no help to somebody who looks for a typing error. */
const MAX_NAMED = 20;

/** The id of the host that goes by this id or name; fails where there is none, or where several do. */
export async function hostId(plane: Connection, typed: string): Promise<Answered<string>> {
  const answered = await plane.get<{ readonly hosts: readonly HostView[] }>('/v1/hosts');
  if (!answered.ok) return answered;
  const { hosts } = answered.value;
  const found = hosts.filter(({ host }) => host === typed);
  const named = found.length > 0 ? found : hosts.filter(({ name }) => name === typed);
  const [only] = named;
  if (only !== undefined && named.length === 1) return { ok: true, value: only.host };
  const several = named.length > 0;
  const among = (several ? named : hosts).map(({ host, name, revoked }) => `${host} (${name}${revoked ? ', revoked' : ''})`);
  const more = among.length > MAX_NAMED ? ` and ${among.length - MAX_NAMED} more (portcullis hosts)` : '';
  const listed = among.length === 0 ? 'No host has joined yet.' : `${several ? 'Say which, by id' : 'The hosts are'}: ${among.slice(0, MAX_NAMED).join(', ')}${more}.`;
  const message = `${several ? `${named.length} hosts are called ${typed}.` : `No host is called ${typed}, nor has that id.`} ${listed}`;
  return { ok: false, failure: { exit: EXIT.no, code: 'not-found', message: printable(message) } };
}
