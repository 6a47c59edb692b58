import { z } from 'zod'
import {
  type AnswerPiece,
  createToolCallParser,
  FORCED_TOOL_CALL_FORMAT,
  type JobRequest,
  type ToolCallFormat,
  type ToolCallParser,
  type ToolDefinition,
} from '../../inference/index.ts'
import { RequestError } from '../requests.ts'
import { newId, type Served } from './models.ts'

const TOOLS_MAX = 64
const FunctionName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, “_” and “-”, at most 64')

/** Fields of a function that a model may call. `strict` needs a grammar: it holds where a call is required. */
export const functionFields = {
  name: FunctionName,
  description: z.string().max(16_384).nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
}

export const ChatTools = z
  .array(z.object({ type: z.literal('function'), function: z.object(functionFields) }))
  .max(TOOLS_MAX)
export const FunctionTools = z
  .array(z.object({ type: z.literal('function'), ...functionFields }))
  .max(TOOLS_MAX)

export const ToolMode = z.enum(['none', 'auto', 'required'])
export const ChosenFunction = z.object({ name: FunctionName })

type FunctionFields = z.output<z.ZodObject<typeof functionFields>>

/** What the caller wants done with the tools he offers. */
export interface ToolUse {
  /** Shown to the model. */
  definitions: ToolDefinition[]
  /** Set when the model must call one of these: the answer is bound to exactly one call. */
  forced: ToolDefinition[] | null
  /** Whether an answer may hold several calls. */
  parallel: boolean
}

/** A caller's `tool_choice`: one of the modes, or the name of a function. */
export type ToolChoice = z.infer<typeof ToolMode> | { name: string }

/**
 * @returns null when the model is to see no tools
 * @throws RequestError when a function is defined twice, or the choice names none of them
 */
export function toolUse(
  functions: readonly FunctionFields[],
  choice: ToolChoice,
  parallel: boolean,
): ToolUse | null {
  const definitions = functions.map(definition)
  const names = new Set(definitions.map(({ name }) => name))
  if (names.size < definitions.length) {
    throw new RequestError('INVALID_REQUEST', 'Two functions have the same name.', 'tools')
  }
  if (typeof choice === 'object') {
    const forced = definitions.filter(({ name }) => name === choice.name)
    if (forced.length === 0) throw noSuchFunction(choice.name)
    return { definitions, forced, parallel }
  }
  if (definitions.length === 0) {
    if (choice !== 'required') return null
    throw new RequestError('INVALID_REQUEST', 'A required tool call needs tools.', 'tool_choice')
  }
  if (choice === 'none') return null
  return { definitions, forced: choice === 'required' ? definitions : null, parallel }
}

function definition({ name, description, parameters }: FunctionFields): ToolDefinition {
  return {
    name,
    parameters: parameters ?? { type: 'object', properties: {} },
    ...(description ? { description } : {}),
  }
}

function noSuchFunction(name: string): RequestError {
  return new RequestError('INVALID_REQUEST', `No tool is called “${name}”.`, 'tool_choice')
}

/** @throws RequestError UNSUPPORTED_PARAMETER when the model's template has no place for tools */
export function assertTakesTools(model: Served, tools: ToolUse | null): void {
  if (!tools || model.takesTools) return
  throw new RequestError(
    'UNSUPPORTED_PARAMETER',
    'The model that is served here was not made for tools.',
    'tools',
  )
}

/**
 * Tells an answer's tool calls from its text, as it comes.
 * @param format how the model writes calls by itself
 */
export function partReader(tools: ToolUse | null, format: ToolCallFormat | null): ToolCallParser {
  const written = tools?.forced ? FORCED_TOOL_CALL_FORMAT : format
  if (!tools || written === null) return plainReader
  const names = new Set((tools.forced ?? tools.definitions).map(({ name }) => name))
  const parser = createToolCallParser({ format: written, names, newId: () => newId('call') })
  // A forced answer is nothing but its call: one that was cut off before the name has nothing to show.
  const isWanted = (piece: AnswerPiece) =>
    piece.type === 'content' ? !tools.forced : tools.parallel || piece.index === 0
  return {
    push: (text) => parser.push(text).filter(isWanted),
    finish: () => parser.finish().filter(isWanted),
  }
}

const plainReader: ToolCallParser = {
  push: (text) => (text === '' ? [] : [{ type: 'content', text }]),
  finish: () => [],
}

/** One call is enough for a caller who wants no parallel ones: Hermes' models close each call with a mark. */
export function withCallStops(
  job: JobRequest,
  tools: ToolUse | null,
  format: ToolCallFormat | null,
): JobRequest {
  if (!tools || tools.parallel || tools.forced || format !== 'hermes') return job
  return { ...job, stop: [...job.stop, '</tool_call>'] }
}
