import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, mergeConfig } from 'vite'
import { startHostHere } from '../e2e/support/host-here.ts'
import electronVite from '../electron.vite.config.ts'
import { root } from './host.ts'

/** One host that serves two pages: the window, and an empty one of the same library from the same build. */
export interface TwoPages {
  window: { url: string; directory: string }
  reference: { url: string; directory: string }
  /** An answer that an API client buys: what others do while the window looks on. */
  ask(question: string, maxTokens?: number): Promise<void>
  /** Events that the host has sent to its windows so far. */
  events(): number
  end(): Promise<void>
}

/** Builds the empty page as the window is built, and starts the built host's parts around both. */
export async function startTwoPages(scratch: string): Promise<TwoPages> {
  const reference = join(scratch, 'reference')
  await buildReference(reference)
  const { host, openPage } = await startHostHere({ dataDirectory: join(scratch, 'host') })
  await host.whenServing()
  let events = 0
  const endCount = host.control.subscribe(() => {
    events += 1
  })
  const directory = join(root, 'out/renderer')
  const [windowPage, referencePage] = await Promise.all([openPage(directory), openPage(reference)])
  return {
    window: { url: windowPage.url, directory },
    reference: { url: referencePage.url, directory: reference },
    events: () => events,
    ask: async (question, maxTokens) => {
      const { apiBaseUrl, apiKeyFile } = host.status()
      const response = await fetch(`${apiBaseUrl}/chat/completions`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${readFileSync(apiKeyFile, 'utf8').trim()}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({
          messages: [{ role: 'user', content: question }],
          ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
        }),
      })
      if (!response.ok) throw new Error(await response.text())
      await response.arrayBuffer()
    },
    end: async () => {
      endCount()
      await host.stop()
      await windowPage.close()
      await referencePage.close()
    },
  }
}

async function buildReference(outDir: string): Promise<void> {
  const page = join(import.meta.dirname, 'window-reference')
  const { renderer = {} } = electronVite as { renderer?: object }
  await build(
    mergeConfig(renderer, {
      configFile: false,
      root: page,
      logLevel: 'warn',
      base: './',
      build: { outDir, rollupOptions: { input: join(page, 'index.html') } },
    }),
  )
}
