import { defineConfig } from 'vitest/config';

/** Sources of sibling packages are read directly, so unit tests need no build. */
const conditions = ['portcullis-source', 'node', 'import', 'module', 'default'];
const resolve = { conditions };
const ssr = { resolve: { conditions } };

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
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Processes, sockets and file events: files one after the other, so that a busy machine stays fair to each.
          fileParallelism: false,
        },
      },
    ],
  },
});
