import { describe, expect, it } from 'vitest'
import { pageNames, pageOf, pages, sectionOf } from './pages.ts'

describe('pages', () => {
  it('are found by the address that leads to them', () => {
    for (const name of pageNames) expect(pageOf(pages[name].href)).toBe(name)
  })

  it.each(['', '#', '#trades', '#/nowhere', '#/models/x', '#__proto__'])('%j is Home', (hash) => {
    expect(pageOf(hash)).toBe('home')
  })

  it.each([
    ['#trades', 'trades'],
    ['', null],
    ['#', null],
    ['#/', null],
    ['#/models', null],
  ])('%j names the section %s', (hash, section) => expect(sectionOf(hash)).toBe(section))
})
