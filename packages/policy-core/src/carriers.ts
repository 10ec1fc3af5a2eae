/**
 * Methods that carry the name of what they are about, and how a call of them is asked (in tests and by `portcullis eval`). Judged by the method
 * alone such a call could pass where its tool, resource or prompt is denied.
 */
const ASKED_BY: ReadonlyMap<string, 'tool' | 'prompt' | 'uri'> = new Map([
  ['tools/call', 'tool'], ['prompts/get', 'prompt'], ['resources/read', 'uri'], ['resources/subscribe', 'uri'], ['resources/unsubscribe', 'uri'],
]);

/** The key by which a call of the method is asked; null for a method that policies judge as itself. */
export function askedBy(method: string): 'tool' | 'prompt' | 'uri' | null {
  return ASKED_BY.get(method) ?? null;
}
