import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AnswerPiece,
  createToolCallParser,
  detectToolCallFormat,
  forcedToolFormat,
} from './tool-calls.ts'
import type { ToolCallFormat } from './types.ts'

interface Read {
  content: string
  calls: { name: string; arguments: string }[]
}

/** Everything that the parser made of `text`, which comes in pieces cut at `cuts`. */
function read(format: ToolCallFormat, text: string, cuts: number[] = []): Read {
  let id = 0
  const parser = createToolCallParser({
    format,
    names: new Set(['weather', 'time']),
    newId: () => `call_${id++}`,
  })
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b)
  const pieces: AnswerPiece[] = []
  for (const [index, to] of [...places, text.length].entries()) {
    pieces.push(...parser.push(text.slice(places[index - 1] ?? 0, to)))
  }
  pieces.push(...parser.finish())
  const result: Read = { content: '', calls: [] }
  for (const piece of pieces) {
    if (piece.type === 'content') result.content += piece.text
    else if (piece.type === 'tool-call') {
      expect(piece.index).toBe(result.calls.length)
      expect(piece.id).toBe(`call_${piece.index}`)
      result.calls.push({ name: piece.name, arguments: '' })
    } else {
      const call = result.calls[piece.index]
      if (!call) throw new Error('arguments came before their call')
      call.arguments += piece.argumentsDelta
    }
  }
  return result
}

const TWO = [
  { name: 'weather', arguments: '{"place": "K\\u00f6ln {\\"}", "days": [1, 2]}' },
  { name: 'time', arguments: '{}' },
]
const ANSWERS: [string, ToolCallFormat, string, Read][] = [
  [
    'Hermes',
    'hermes',
    'Let me see.<tool_call>\n{"name": "weather", "arguments": {"place": "K\\u00f6ln {\\"}", "days": [1, 2]}}\n</tool_call>\n' +
      '<tool_call>\n{"name": "time", "arguments": {}}\n</tool_call>',
    { content: 'Let me see.', calls: TWO },
  ],
  [
    'Hermes, text after the call',
    'hermes',
    '<tool_call>{"arguments": {}, "name": "time"}</tool_call> done < soon',
    { content: 'done < soon', calls: [{ name: 'time', arguments: '{}' }] },
  ],
  [
    'Llama 3',
    'llama3-json',
    ' {"name": "weather", "parameters": {"place": "K\\u00f6ln {\\"}", "days": [1, 2]}}; {"name": "time", "parameters": {}}',
    { content: '', calls: TWO },
  ],
  [
    'Llama 3 with its tag',
    'llama3-json',
    '<|python_tag|>{"type": "function", "name": "time", "parameters": {"zone": 7}}',
    { content: '', calls: [{ name: 'time', arguments: '{"zone": 7}' }] },
  ],
  [
    'Mistral, a list',
    'mistral',
    '[TOOL_CALLS] [{"name": "weather", "arguments": {"place": "K\\u00f6ln {\\"}", "days": [1, 2]}}, {"name": "time", "arguments": {}}]',
    { content: '', calls: TWO },
  ],
  [
    'Mistral, by name',
    'mistral',
    'ok[TOOL_CALLS]weather[ARGS]{"place": "K\\u00f6ln {\\"}", "days": [1, 2]}[TOOL_CALLS]time{}',
    { content: 'ok', calls: TWO },
  ],
  [
    'arguments as text',
    'hermes',
    '<tool_call>{"name": "time", "arguments": "{\\"zone\\": 7}"}</tool_call>',
    { content: '', calls: [{ name: 'time', arguments: '{"zone": 7}' }] },
  ],
  [
    'no arguments',
    'llama3-json',
    '{"name": "time"}',
    { content: '', calls: [{ name: 'time', arguments: '{}' }] },
  ],
  [
    'a call that was cut off',
    'hermes',
    '<tool_call>{"name": "weather", "arguments": {"place": "Kö',
    { content: '', calls: [{ name: 'weather', arguments: '{"place": "Kö' }] },
  ],
  ...(
    [
      ['an unknown tool', 'hermes', '<tool_call>{"name": "rm", "arguments": {}}</tool_call>'],
      ['an unknown tool of Mistral', 'mistral', '[TOOL_CALLS]rm[ARGS]{}'],
      ['JSON that is no call', 'llama3-json', '{"answer": 42, "name": "weather station"}'],
      ['JSON after text', 'llama3-json', 'See: {"name": "time", "parameters": {}}'],
      ['no JSON', 'hermes', '<tool_call>never mind</tool_call>'],
      ['an opening at the end', 'hermes', 'a <tool_call>'],
      ['half an opening', 'hermes', 'a <tool_ca'],
      ['nothing', 'llama3-json', ''],
    ] as [string, ToolCallFormat, string][]
  ).map(([name, format, text]): [string, ToolCallFormat, string, Read] => [
    name,
    format,
    text,
    { content: text, calls: [] },
  ]),
]

describe('tool calls', () => {
  test.each(ANSWERS)('are told from text: %s', (_name, format, text, expected) => {
    expect(read(format, text)).toEqual(expected)
  })

  test.each(ANSWERS)('are the same however the text is cut: %s', (_name, format, text, expected) => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { maxLength: 40 }), (cuts) => {
        expect(read(format, text, cuts)).toEqual(expected)
      }),
    )
  })

  test('no text of a model makes the parser fail or lose what is no call', () => {
    const words = fc.constantFrom(
      '<tool_call>',
      '</tool_call>',
      '[TOOL_CALLS]',
      '[ARGS]',
      '{',
      '}',
      '[',
      ']',
      '"',
      '\\',
      ',',
      ':',
      'name',
      'time',
      'arguments',
      ' ',
      'x',
    ) // prettier-ignore
    fc.assert(
      fc.property(
        fc.constantFrom('hermes', 'mistral', 'llama3-json'),
        fc.array(words, { maxLength: 30 }),
        fc.array(fc.nat(200)),
        (format, parts, cuts) => {
          const text = parts.join('')
          const whole = read(format, text)
          expect(read(format, text, cuts)).toEqual(whole)
          if (whole.calls.length === 0) expect(whole.content).toBe(text)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('arguments stream as they come', () => {
    const parser = createToolCallParser({ format: 'hermes', names: new Set(['time']), newId: () => 'id' })
    expect(parser.push('<tool_call>{"name": "time", "arguments": {"a')).toEqual([
      { type: 'tool-call', index: 0, id: 'id', name: 'time' },
      { type: 'tool-arguments', index: 0, argumentsDelta: '{"a' },
    ])
    expect(parser.push('": 1')).toEqual([{ type: 'tool-arguments', index: 0, argumentsDelta: '": 1' }])
  })
})

test('the format is read off the template', () => {
  expect(detectToolCallFormat(null)).toBeNull()
  expect(detectToolCallFormat('{{ messages }}')).toBeNull()
  expect(detectToolCallFormat('{% if tools %}<tool_call>{% endif %}')).toBe('hermes')
  expect(detectToolCallFormat('{{ tools }}[TOOL_CALLS]')).toBe('mistral')
  expect(detectToolCallFormat('{{ tools | tojson }} "parameters"')).toBe('llama3-json')
})

test('a forced call keeps the references of each tool apart', () => {
  const parameters = { $ref: '#/$defs/x', $defs: { x: { type: 'object', properties: { y: { $ref: '#' } } } } }
  expect(forcedToolFormat([{ name: 'time', parameters }])).toMatchObject({
    schema: {
      anyOf: [{ properties: { name: { const: 'time' }, arguments: { $ref: '#/$defs/0' } } }],
      $defs: { 0: { $ref: '#/$defs/0/$defs/x', $defs: { x: { properties: { y: { $ref: '#/$defs/0' } } } } } },
    },
  })
})
