import { z } from 'zod'
import type { Engine } from '../../inference/index.ts'
import { TiramiError } from '../../kernel/index.ts'
import { RequestError } from '../requests.ts'
import { namedParam } from './jobs.ts'

const TEXTS_MAX = 256

const TokenIds = z
  .array(
    z
      .number()
      .int()
      .min(0)
      .max(2 ** 31 - 1),
  )
  .min(1)
  .max(65_536)

/** One text, several, or the same as token ids, as completions and embeddings take them. */
export const TextInput = z.union([
  z.string(),
  z.array(z.string()).min(1).max(TEXTS_MAX),
  TokenIds,
  z.array(TokenIds).min(1).max(TEXTS_MAX),
])

export type Tokenizer = Pick<Engine, 'tokenize' | 'detokenize'>

/** The texts of an input, in order. @throws RequestError for ids that are no tokens of the model's texts */
export async function textsOf(
  tokenizer: Tokenizer,
  input: z.infer<typeof TextInput>,
  param: string,
): Promise<string[]> {
  if (typeof input === 'string') return [input]
  const items: (string | number[])[] = isTokenIds(input) ? [input] : input
  return Promise.all(items.map((item) => (typeof item === 'string' ? item : textOf(tokenizer, item, param))))
}

function isTokenIds(input: string[] | number[] | number[][]): input is number[] {
  return typeof input[0] === 'number'
}

/** The engine takes text: ids are good only if the model's tokenizer makes the same ones of their text. */
async function textOf(tokenizer: Tokenizer, tokens: number[], param: string): Promise<string> {
  const text = await textOfTokens(tokenizer, tokens, param)
  const again = await tokenizer.tokenize(text)
  if (again.length === tokens.length && again.every((token, index) => token === tokens[index])) return text
  throw new RequestError(
    'INVALID_TOKENS',
    'The model’s tokenizer cuts the text of these tokens in another way.',
    param,
  )
}

/** @throws RequestError INVALID_TOKENS for ids that the vocabulary does not have */
export async function textOfTokens(tokenizer: Tokenizer, tokens: number[], param: string): Promise<string> {
  try {
    return await tokenizer.detokenize(tokens)
  } catch (error) {
    throw error instanceof TiramiError ? namedParam(error, { INVALID_TOKENS: param }) : error
  }
}
