/** The laws of the simulation can fail: each mechanism that they watch, taken away, is missed within a few seeds. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MUTANTS } from './mutants.ts';
import type { run as Run } from './run.ts';

/** A mechanism whose loss is not seen in so many worlds is not watched. */
const WITHIN_SEEDS = Number(process.env['PORTCULLIS_MUTANT_SEEDS'] ?? 120);

beforeEach(() => void vi.resetModules());
afterEach(() => void vi.doUnmock('never'));

describe('a mutant is noticed', () => {
  it.each(MUTANTS)(
    '$name',
    async ({ name, file, patch, law, from = 1 }) => {
      vi.doMock(file, async (original) => {
        const real = await original<Record<string, never>>();
        return { ...real, ...patch(real) };
      });
      try {
        const { run } = (await import('./run.ts')) as { readonly run: typeof Run };
        const broken: string[] = [];
        for (let seed = from; seed < from + WITHIN_SEEDS && broken.length === 0; seed++) {
          const report = await run(seed);
          if (report.broken !== null) broken.push(report.broken);
        }
        console.info(`${name}: ${broken[0] ?? 'not noticed'}`);
        expect(broken[0] ?? `not noticed in ${WITHIN_SEEDS} seeds`).toMatch(law);
      } finally {
        vi.doUnmock(file);
      }
    },
    120_000,
  );
});
