/** Whether a selector, or a policy's `match`, applies to a proxy. */
import type { ProxyIdentity, Selector } from './selector.ts';
import { selectorOf } from './snapshot.ts';

/** Both parts must hold; an empty part holds for every proxy. A label that a proxy does not have matches nothing. */
export function selects(selector: Selector, identity: ProxyIdentity): boolean {
  return selectorOf(selector)(identity);
}
