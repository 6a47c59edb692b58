import fc from 'fast-check'
import { getLlama, type Llama } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { JsonSchema } from '../types.ts'
import { JSON_OBJECT_GRAMMAR, schemaGrammar } from './schema-grammar.ts'

let llama: Llama
beforeAll(async () => {
  llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false })
})
afterAll(() => llama.dispose())

/** Whether llama.cpp takes `text` for a whole text of `grammar`. */
async function accepts(grammar: string, text: string): Promise<boolean> {
  const made = (await llama.createGrammar({ grammar })) as unknown as { _testText(text: string): boolean }
  return made._testText(text)
}

const LIST = {
  $defs: {
    node: {
      type: 'object',
      properties: {
        value: { type: 'number' },
        next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
      },
      required: ['value', 'next'],
      additionalProperties: false,
    },
  },
  $ref: '#/$defs/node',
}
const PERSON = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 3, description: 'short' },
    rating: { type: 'integer', minimum: -1, maximum: 5 },
    tags: { type: 'array', items: { enum: ['a', '"\\', 7] }, minItems: 1, maxItems: 2 },
    nick: { type: ['string', 'null'] },
  },
  required: ['name', 'tags'],
}
const CALL = {
  anyOf: [
    { type: 'object', properties: { name: { const: 'a' }, x: { type: 'boolean' } }, required: ['name', 'x'] },
    { type: 'object', properties: { name: { const: 'b' } }, required: ['name'] },
  ],
}
const TAGGED = { oneOf: CALL.anyOf }
const MAP = { type: 'object', additionalProperties: { type: 'integer', minimum: 0 } }
const PAIR = {
  type: 'array',
  prefixItems: [{ type: 'string' }, { type: 'number', minimum: 0 }],
  items: false,
}

const CASES: [string, JsonSchema, string, boolean][] = [
  ['a list that contains itself', LIST, '{"value":1,"next":{"value":-2.5e3,"next":null}}', true],
  ['a list that ends early', LIST, '{"value":1}', false],
  ['all properties', PERSON, '{"name": "é🙂", "rating": -1, "tags": ["a", 7], "nick": null}', true],
  ['required properties only', PERSON, '{"name":"x","tags":["\\"\\\\"]}', true],
  ['a required one missing', PERSON, '{"name":"x"}', false],
  ['too long a text', PERSON, '{"name":"abcd","tags":[7]}', false],
  ['too few items', PERSON, '{"name":"a","tags":[]}', false],
  ['too many items', PERSON, '{"name":"a","tags":[7,7,7]}', false],
  ['out of range', PERSON, '{"name":"a","rating":6,"tags":[7]}', false],
  ['an unknown property', PERSON, '{"name":"a","tags":[7],"z":1}', false],
  ['the first alternative', CALL, '{"name":"a","x":true}', true],
  ['the second alternative', CALL, '{"name":"b"}', true],
  ['a mixture of alternatives', CALL, '{"name":"b","x":true}', false],
  ['an exclusive choice with a tag', TAGGED, '{"name":"b"}', true],
  ['a map', MAP, '{"any \\" key":12,"b":0}', true],
  ['a map with a wrong value', MAP, '{"a":-1}', false],
  ['a pair', PAIR, '["a", 0.5]', true],
  ['half a pair', PAIR, '["a"]', false],
  ['anything', { description: 'free' }, '[{"a":[null,true,-0.1,"\\u00e9"]}]', true],
]

describe('a schema', () => {
  test.each(CASES)('allows what is valid and nothing else: %s', async (_name, schema, text, allowed) => {
    expect(await accepts(schemaGrammar(schema), text)).toBe(allowed)
    if (allowed) expect(z.fromJSONSchema(schema as never).safeParse(JSON.parse(text)).success).toBe(true)
  })

  const many = (count: number, make: (index: number) => unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, make(index)]))
  let deep: JsonSchema = { type: 'string' }
  for (let level = 0; level < 40; level++) deep = { type: 'array', items: deep }
  const itself = { $ref: '#/$defs/v' }
  const REFUSED: [string, JsonSchema][] = [
    ['a pattern', { type: 'string', pattern: '(a+)+$' }],
    ['a pattern under a tool', { properties: { a: { type: 'string', pattern: '.' } } }],
    ['too many bytes', { type: 'string', description: 'x'.repeat(40_000) }],
    ['too deep', deep],
    ['too many rules', { type: 'object', properties: many(900, () => ({ type: 'null' })) }],
    ['too long a repetition', { type: 'string', maxLength: 1e9 }],
    [
      'repetitions that add up',
      { type: 'object', properties: many(30, () => ({ type: 'string', maxLength: 100 })) },
    ],
    [
      'alternatives that double with every level',
      {
        $defs: {
          v: {
            anyOf: [
              { type: 'object', properties: { a: itself, b: { type: 'null' } } },
              { type: 'object', properties: { a: itself, c: { type: 'null' } } },
            ],
          },
        },
        ...itself,
      },
    ],
    ['too many alternatives alike', { anyOf: Array.from({ length: 400 }, () => ({ type: 'string' })) }],
    ['a reference to itself', { $ref: '#' }],
    ['a reference to nothing', { $ref: '#/$defs/none' }],
    ['a reference to elsewhere', { $ref: 'https://example.com/schema.json' }],
    ['an unknown type', { type: 'date' }],
    ['an impossible length', { type: 'array', minItems: 3, maxItems: 2 }],
    ['a negative length', { type: 'string', minLength: -1 }],
    ['a required property that is not described', { type: 'object', properties: {}, required: ['a'] }],
    ['an exclusive choice that is none', { oneOf: [{ type: 'string' }, { type: 'string', maxLength: 3 }] }],
    ['a prototype key', JSON.parse('{"$ref":"#/__proto__"}')],
  ]
  test.each(REFUSED)('that cannot be enforced is refused: %s', (_name, schema) => {
    expect(() => schemaGrammar(schema)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_SCHEMA', httpStatus: 400 }),
    )
  })

  test('is refused or becomes a grammar that llama.cpp takes, whatever it is', async () => {
    const schema = fc.letrec<{ any: JsonSchema }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.record({
          type: fc.constantFrom('string', 'integer', 'number', 'boolean', 'null', 'object', 'array'),
        }),
        fc.record({ enum: fc.array(fc.jsonValue(), { minLength: 1, maxLength: 3 }) }),
        fc.record({
          type: fc.constant('object'),
          properties: fc.dictionary(fc.string(), tie('any'), { maxKeys: 3 }),
        }),
        fc.record({ type: fc.constant('array'), items: tie('any'), maxItems: fc.nat(4) }),
        fc.record({ anyOf: fc.array(tie('any'), { minLength: 1, maxLength: 3 }) }),
        fc.jsonValue() as fc.Arbitrary<JsonSchema>,
      ) as fc.Arbitrary<JsonSchema>,
    })).any
    await fc.assert(
      fc.asyncProperty(schema, async (made) => {
        let grammar: string
        try {
          grammar = schemaGrammar(made)
        } catch (error) {
          expect(error).toMatchObject({ code: 'UNSUPPORTED_SCHEMA' })
          return
        }
        await llama.createGrammar({ grammar })
      }),
      { numRuns: 300 },
    )
  })
})

test('any object is JSON, and nothing else is one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), fc.string()), async (object) => {
      expect(await accepts(JSON_OBJECT_GRAMMAR, JSON.stringify(object))).toBe(true)
    }),
  )
  for (const text of ['[]', '1', '{"a":1', '{a:1}', '{"a":01}', '{} {}']) {
    expect(await accepts(JSON_OBJECT_GRAMMAR, text)).toBe(false)
  }
})
