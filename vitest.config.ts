import { defineConfig } from 'vitest/config'

/** Unit and room tests. What needs the built app is in e2e/ and has its own config. */
export default defineConfig({
  test: {
    include: [
      'src-main/**/*.test.ts',
      'src-preload/**/*.test.ts',
      'src-renderer/**/*.test.ts',
      'src-renderer/**/*.test.tsx',
      'training/**/*.test.ts',
      'simulation/**/*.test.ts',
      'build/**/*.test.ts',
    ],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
})
