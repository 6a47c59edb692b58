import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'

/** Classes that a stylesheet dresses wherever they stand; what stands in brackets is passed over. */
function classesOf(css: string): string[] {
  const plain = css.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\([^(){}]*\)/g, '')
  return [...plain.matchAll(/([^{}]+)\{/g)].flatMap(([, selectors = '']) =>
    selectors
      .split(',')
      .flatMap((selector) => /^\s*\.([\w-]+)(?:[.:[][^\s>+~]*)?\s*$/.exec(selector)?.[1] ?? []),
  )
}

describe('the stylesheets of the pages', () => {
  // All of them are in force once their pages were loaded, and they are loaded ahead: one page must not dress another.
  it('have no class that two pages dress', () => {
    const pages = new Map<string, Set<string>>()
    for (const file of globSync('*/*.css', { cwd: import.meta.dirname }))
      for (const name of classesOf(readFileSync(join(import.meta.dirname, file), 'utf8')))
        pages.set(name, (pages.get(name) ?? new Set()).add(basename(file)))
    expect(pages.size).toBeGreaterThan(200)
    const shared = [...pages].filter(([, files]) => files.size > 1).map(([name, files]) => [name, ...files])
    expect(shared).toEqual([])
  })
})
