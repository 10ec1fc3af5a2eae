/** Values that arguments are compared with: what nobody can compare as Intercept does, and what looks as if some argument equalled it. */
import type { Operator } from '../policy.ts';
import { quote } from '../problem.ts';
import type { Findings } from './findings.ts';
import { keyValue, printedPairs } from './mapping.ts';
import { valueOf } from './nodes.ts';
import type { MapNode, Node, ScalarNode } from './nodes.ts';

/** Reports mappings whose text is not known, and warns of values and keys that arguments do not have; at any depth. */
export function checkComparand(op: Operator, written: Node, findings: Findings): void {
  if (op === 'exists') return;
  switch (written.kind) {
    case 'scalar':
      warnOfScalar(written, findings);
      return;
    case 'list':
      for (const item of written.items) checkComparand(op, item, findings);
      return;
    case 'map':
      checkKeys(written, findings);
      for (const { value } of written.pairs.values()) checkComparand(op, value, findings);
  }
}

function warnOfScalar(scalar: ScalarNode, findings: Findings): void {
  const value = valueOf(scalar);
  if (value.kind === 'timestamp') {
    findings.warn('VALUE', scalar.offset, 'a date without quotes is a timestamp, which equals no text that looks like it: put it in quotes');
  } else if (value.kind === 'uint') {
    findings.warn('VALUE', scalar.offset, `${value.value} is too large for a number here and equals that text only: use lte or gte with a smaller bound, or put it in quotes`);
  }
}

function checkKeys(map: MapNode, findings: Findings): void {
  const printed = printedPairs(map);
  if (printed === null) {
    findings.error('VALUE', map.offset, 'the keys of this mapping are of several kinds (or several are dates), so what it equals cannot be told: put every key in quotes');
    return;
  }
  for (const { key } of [...map.pairs.values()].slice(0, map.own)) {
    const { kind } = keyValue(key);
    if (kind !== 'string') findings.warn('VALUE', key.offset, `the key ${quote(key.text)} is no text, and the keys of an argument are texts: put it in quotes`);
  }
}
