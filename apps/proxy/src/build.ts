/** This program's version, as the plane and operators see it. What one build refuses is offered to the next one (W5). */
import { readFileSync } from 'node:fs';

/** Beside both the sources and the bundle. */
const MANIFEST = new URL('../package.json', import.meta.url);

export const BUILD: string = (JSON.parse(readFileSync(MANIFEST, 'utf8')) as { readonly version: string }).version;
