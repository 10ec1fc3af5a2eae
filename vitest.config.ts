import { defineConfig } from 'vitest/config';

/** Sources of sibling packages are read directly, so unit tests need no build. */
const conditions = ['portcullis-source', 'node', 'import', 'module', 'default'];
const resolve = { conditions };
const ssr = { resolve: { conditions } };

/** Run by `npm run test:long`: what is not yet true of every seed, or takes an idle machine. */
const LONG = ['test/sim/**', 'test/fleet/succession.test.ts'];

export default defineConfig({
  resolve,
  ssr,
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'test/*.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'system',
          include: ['test/*/**/*.test.ts'],
          exclude: LONG,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Processes, sockets and file events: files one after the other, so that a busy machine stays fair to each.
          fileParallelism: false,
        },
      },
      {
        resolve,
        ssr,
        test: { name: 'long', include: LONG.map((place) => place.replace(/\*\*$/, '**/*.test.ts')), testTimeout: 600_000, hookTimeout: 60_000, fileParallelism: false },
      },
    ],
  },
});
