import { defineConfig } from 'vitest/config'

/** Tests against the built product: real processes, real clients, a real browser. */
export default defineConfig({
  test: {
    include: ['e2e/**/*.test.ts'],
    // Part of `npm run test:mesh`.
    exclude: ['e2e/mesh-relay.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
    pool: 'forks',
    // Whole hosts are started here, which mostly wait for one another: two files fill two cores.
    maxWorkers: 2,
  },
})
