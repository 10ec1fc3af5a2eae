/** Whether a restriction that was just imposed is about anybody: words that name nothing known are said loudly, and are no success. */
import type { Audience } from '../api/audience.ts';
import { restrictionText } from './happening.ts';
import { counted } from './table.ts';
import type { Restriction } from '@portcullis/policy-core';

/** Whether everything that the selector names is known, and somebody is restricted. Where no proxy is known yet, nothing can be said against it. */
export function reaches({ proxies, known, strayServers, strayLabels }: Audience): boolean {
  return known === 0 || (proxies > 0 && strayServers.length + strayLabels.length === 0);
}

/** How many it is about, in one sentence. */
export function audienceLine({ proxies, known }: Audience): string {
  if (known === 0) return 'No proxy is known yet; it applies to those that connect.';
  return `It applies to ${proxies} of ${counted(known, 'known proxy', 'known proxies')}.`;
}

/** What is wrong with a restriction that does not reach what it names, and what to do. */
export function strayLines(restriction: Pick<Restriction, 'id' | 'scope' | 'readOnly' | 'selector'>, audience: Audience): readonly string[] {
  const { proxies, known, strayServers, strayLabels, servers, labels } = audience;
  const whom = `${restriction.id} (${restrictionText(restriction)})`;
  return [
    proxies === 0 ? `WARNING: ${whom} restricts NOBODY: it applies to 0 of ${counted(known, 'known proxy', 'known proxies')}.` : `WARNING: not everything that ${whom} names is known.`,
    ...strayServers.map((glob) => `  No known proxy is called ${glob}.${listed('Known servers', servers)}`),
    ...strayLabels.map((label) => `  No known host carries ${label}.${listed('Known labels', labels)}`),
    ...(proxies === 0 && strayServers.length + strayLabels.length === 0 ? ['  Each part of it names somebody, and no known proxy has all of them.'] : []),
    '  It is recorded, and holds for proxies that connect later. If a name was mistyped, impose it again with the right one.',
  ];
}

function listed(title: string, names: readonly string[]): string {
  return names.length === 0 ? '' : ` ${title}: ${names.join(', ')}.`;
}
