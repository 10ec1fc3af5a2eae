/** `node:fs` with `globSync`, for the conformance suite only. */
export async function resolve(specifier, context, next) {
  const isFs = specifier === 'fs' || specifier === 'node:fs';
  if (isFs && context.parentURL?.includes('/conformance/dist/')) return { url: new URL('./fs.js', import.meta.url).href, shortCircuit: true, format: 'module' };
  return next(specifier, context);
}
