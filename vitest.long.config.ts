import { defineConfig } from 'vitest/config'

/** Tests whose length can be chosen, at full length: `npm run test:long`. */
export default defineConfig({
  test: {
    include: ['e2e/**/*.test.ts', 'src-main/inference/*.test.ts'],
    testTimeout: 3 * 60 * 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    fileParallelism: false,
  },
})
