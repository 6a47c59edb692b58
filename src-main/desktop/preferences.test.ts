import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readPreference, writePreference } from './preferences.ts'
import { WindowPreferences } from './window-bounds.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'preferences-'))
const value: WindowPreferences = { bounds: { x: 1, y: 2, width: 800, height: 600 }, maximized: true }

describe('preferences', () => {
  it('come back as they were written, private and without leftovers', () => {
    const directory = folder()
    const path = join(directory, 'window.json')
    writePreference(path, { other: 1 })
    writePreference(path, value)
    expect(readPreference(path, WindowPreferences)).toEqual(value)
    expect(readdirSync(directory)).toEqual(['window.json'])
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600)
  })
  it.each(['', '{', 'null', '[]', '{"bounds":1}', `"${'x'.repeat(70_000)}"`])('count %j as none', (text) => {
    const path = join(folder(), 'window.json')
    writeFileSync(path, text)
    expect(readPreference(path, WindowPreferences)).toBeNull()
  })
  it('count a missing file as none', () => {
    expect(readPreference(join(folder(), 'window.json'), WindowPreferences)).toBeNull()
  })
  it('keep the old content when the new cannot be written', () => {
    const directory = folder()
    const path = join(directory, 'window.json')
    writePreference(path, value)
    const circular: { self?: unknown } = {}
    circular.self = circular
    expect(() => writePreference(path, circular)).toThrow()
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(value)
    expect(readdirSync(directory)).toEqual(['window.json'])
  })
})
