/** Keeping the log: a new signing key, and erasing what people wrote. */
import { z } from '@hono/zod-openapi';
import { erasureOf } from '../../erasure.ts';
import { verifierKeyText } from '../../verifier-key.ts';
import { act, actWith } from '../act.ts';
import { refuse } from '../answer.ts';
import { declare } from '../declare.ts';
import type { Api, ApiParts } from '../parts.ts';
import { name, reason, version } from '../shapes.ts';

const rotation = z.strictObject({ reason });
const erasure = z.strictObject({ seq: version.optional(), actor: name.optional(), reason });

export function addKeeping(api: Api, parts: ApiParts): void {
  declare(
    api,
    { method: 'post', path: '/v1/key/rotate', action: 'rotate-key', summary: 'Sign with a new key from now on', answers: 'The version as of which the new key signs, its `publicKey`, and `verifierKey`, the same as auditors keep it.', body: rotation },
    ({ body, operator, idem }) => actWith(parts, (meta) => parts.plane.rotateKey(meta), { operator, idem, reason: body.reason }, (_recorded, state) => ({ publicKey: state.publicKey, verifierKey: verifierKeyText(state) })),
  );
  declare(
    api,
    { method: 'post', path: '/v1/log/erase', action: 'erase', summary: 'Erase reasons and names', answers: 'What was recorded: `TextErased` with the seqs of the events whose reasons and names are gone.', body: erasure },
    ({ body, operator, idem }) => {
      const { seq, actor } = body;
      if ((seq === undefined) === (actor === undefined)) return refuse('invalid', 'Name either one event by its `seq`, or an `actor` by its id.');
      if (seq !== undefined && parts.plane.history.at(seq) === undefined) return refuse('not-found', `There is no event ${seq}.`);
      const taken = erasureOf(parts.plane.history, seq === undefined ? { kind: 'actor', id: actor ?? '' } : { kind: 'event', seq });
      return act(parts, { kind: 'erase', target: seq === undefined ? `actor ${actor ?? ''}` : `event ${seq}`, ...taken }, { operator, idem, reason: body.reason });
    },
  );
}
