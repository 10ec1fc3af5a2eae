/** Whom somebody means who asks what one actor did: an id, the beginning of one, a name, or what the log's own lines show. */
import type { PlaneState } from '../domain/state.ts';
import { nameOf } from './views.ts';

export type NamedActor = { readonly ok: true; readonly id: string } | { readonly ok: false; readonly message: string };

/** Actors that no operator made: the plane itself, and the policy directory. */
const OWN: readonly string[] = ['plane', 'directory'];
/** A shorter beginning of an id is a name that was mistyped. */
const LEAST_PREFIX = 4;
/** More than that is no help to somebody who looks for a name. */
const MAX_LISTED = 20;

/** The one actor that is meant by `typed`; a sentence with those that there are where it is nobody, or several. */
export function namedActor(state: PlaneState, typed: string): NamedActor {
  const known = [...OWN, ...state.operatorTokens.keys(), ...state.hosts.keys()].map((id) => ({ id, name: nameOf(state, id) }));
  // As the lines of the log show it: `files directory`, `host ID`, `NAME (BEGINNING…)`.
  const [, shown = null, beginning = null] = /^(.*) \((\S+?)…?\)$/.exec(typed) ?? [];
  const bare = typed.replace(/^(?:operator|host|files|plane) (?=\S)/, '').replace(/…$/, '');
  const ways: readonly ((one: (typeof known)[number]) => boolean)[] = [
    ({ id }) => id === typed || id === bare,
    ({ name }) => name === typed,
    ({ id, name }) => shown !== null && beginning !== null && name === shown && id.startsWith(beginning),
    ({ id }) => bare.length >= LEAST_PREFIX && id.startsWith(bare),
  ];
  for (const way of ways) {
    const found = known.filter(way);
    const [only] = found;
    if (only === undefined) continue;
    return found.length === 1 ? { ok: true, id: only.id } : { ok: false, message: `${JSON.stringify(typed)} may be any of several: ${listed(found)}. Name one by its id.` };
  }
  return { ok: false, message: `Nobody is called ${JSON.stringify(typed)}, and no id begins like that. There are: ${listed(known)}.` };
}

function listed(actors: readonly { readonly id: string; readonly name: string | null }[]): string {
  const more = actors.length - MAX_LISTED;
  return actors.slice(0, MAX_LISTED).map(({ id, name }) => (name === null ? id : `${id} (${name})`)).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
