import type { TokenLogprob, TokenLogprobs } from '../../inference/index.ts'

/** `choices[].logprobs` of chat completions. */
export function chatLogprobs(tokens: readonly TokenLogprobs[]) {
  return { content: tokens.map(tokenLogprob), refusal: null }
}

/** One token with its alternatives, as chat completions and responses have it. */
export function tokenLogprob({ top, ...token }: TokenLogprobs) {
  return { ...alternative(token), top_logprobs: top.map(alternative) }
}

function alternative({ token, logprob, bytes }: TokenLogprob) {
  return { token, logprob, bytes }
}

/**
 * `choices[].logprobs` of completions.
 * @param offset characters of the text before these tokens
 */
export function completionLogprobs(tokens: readonly TokenLogprobs[], offset: number) {
  let position = offset
  const textOffset = tokens.map(({ token }) => {
    const start = position
    position += token.length
    return start
  })
  return {
    tokens: tokens.map(({ token }) => token),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ top }) =>
      Object.fromEntries(top.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: textOffset,
  }
}
