import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StopFilter, TokenDecoder } from './text.ts'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
const detokenize = (tokens: number[]): string => utf8.decode(Uint8Array.from(tokens))

function decodeAll(bytes: Iterable<number>): string[] {
  const decoder = new TokenDecoder(detokenize)
  return [...Array.from(bytes, (byte) => decoder.push(byte)), decoder.finish()]
}

describe('TokenDecoder', () => {
  test('gives whole characters and loses none', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const parts = decodeAll(new TextEncoder().encode(text))
        expect(parts.join('')).toBe(text)
        if (!text.includes('\uFFFD')) expect(parts.some((part) => part.includes('\uFFFD'))).toBe(false)
      }),
    )
  })

  test('does not lose a character that follows invalid bytes', () => {
    expect(decodeAll([0xff, 0xff, 0xff, 0xc3, 0xa9]).join('')).toBe('\uFFFD\uFFFD\uFFFDé')
    expect(decodeAll([0xe2, 0x82]).join('')).toBe('\uFFFD')
  })
})

describe('StopFilter', () => {
  test('shows exactly what comes before the first stop string, however the text is cut', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 40 })
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
      maxLength: 3,
    })
    fc.assert(
      fc.property(letters, stops, fc.integer({ min: 1, max: 5 }), (text, stopStrings, size) => {
        const filter = new StopFilter(stopStrings)
        let shown = ''
        let stopped = false
        let read = 0
        for (; read < text.length && !stopped; read += size) {
          const result = filter.push(text.slice(read, read + size))
          shown += result.text
          stopped = result.stopped
        }
        if (!stopped) shown += filter.finish()
        const seen = text.slice(0, read)
        const at = stopStrings.map((stop) => seen.indexOf(stop)).filter((index) => index >= 0)
        expect(stopped).toBe(at.length > 0)
        expect(shown).toBe(seen.slice(0, Math.min(seen.length, ...at)))
      }),
    )
  })
})
