import { resolve } from 'node:path'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'electron-vite'
import { reactAriaLocales } from './build/react-aria-locales.ts'

const here = (path: string) => resolve(import.meta.dirname, path)

export default defineConfig({
  main: {
    build: {
      outDir: 'out/main',
      target: 'node24',
      sourcemap: true,
      rollupOptions: {
        input: {
          main: here('src-main/main.ts'),
          host: here('src-main/desktop/host-entry.ts'),
          headless: here('src-main/headless.ts'),
          engine: here('src-main/inference/engine/entry.ts'),
          reasoning: here('src-main/host/reasoning/reasoning.worker.ts'),
          projection: here('src-main/ledger/projection.worker.ts'),
          'keys-cli': here('src-main/keys-cli.ts'),
          'ledger-cli': here('src-main/ledger-cli.ts'),
          'owner-cli': here('src-main/owner-cli.ts'),
          'telemetry-cli': here('src-main/telemetry-cli.ts'),
        },
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
      },
    },
  },
  preload: {
    build: {
      outDir: 'out/preload',
      rollupOptions: {
        input: { index: here('src-preload/index.ts') },
        // A sandboxed preload must be one CommonJS file.
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: here('src-renderer'),
    plugins: [react(), reactAriaLocales(['en-US', 'ja-JP'])],
    build: {
      outDir: here('out/renderer'),
      emptyOutDir: true,
      rollupOptions: {
        input: here('src-renderer/index.html'),
        // A room's door does nothing itself: a page brings along what it takes through it, and nothing else.
        treeshake: { moduleSideEffects: (id) => !/src-renderer[/\\]\w+[/\\]index\.ts$/.test(id) },
      },
      // The page's policy allows no inline or data: script, style or font.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      minify: true,
      chunkSizeWarningLimit: 2000,
    },
  },
})
