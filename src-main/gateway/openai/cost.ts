import type { Consumer, HostServices, Receipt } from '../../host/index.ts'

/** What an answer cost its caller; on every answer and in the last chunk of every stream. */
export interface Cost {
  trm_cost: number
  /** What the caller may still spend: net balance plus the credit its key was given. */
  effective_balance: number
  flops: number
  /** Passes of thought per token: a plain language model has one. */
  depth: number
  /** The first of `trade_ids`. */
  trade_id: string | null
  /** Every choice of an answer is a trade of its own. */
  trade_ids: string[]
}

/** The part of a receipt that the caller is told. */
export type Booked = Pick<Receipt, 'amountTrm' | 'flop' | 'trade'>

/** @param booked of all choices of one answer */
export function costOf(services: HostServices, consumer: Consumer, booked: readonly Booked[]): Cost {
  const { contributedTrm, consumedTrm } = services.ledger.balance(consumer.publicKeyHex)
  const tradeIds = booked.map(({ trade }) => trade.tradeId)
  return {
    trm_cost: Number(booked.reduce((sum, { amountTrm }) => sum + amountTrm, 0n)),
    effective_balance: Number(contributedTrm - consumedTrm + consumer.creditLimitTrm),
    flops: Number(booked.reduce((sum, { flop }) => sum + flop, 0n)),
    depth: 1,
    trade_id: tradeIds[0] ?? null,
    trade_ids: tradeIds,
  }
}

/** Tokens of one answer. */
export interface TokenCounts {
  promptTokens: number
  cachedTokens: number
  completionTokens: number
}

/**
 * Counts of several choices as OpenAI counts them: each prompt once, every completion. `x_tirami.flops` has what
 * was computed.
 * @param choicesPerPrompt choices that share one prompt stand next to each other
 */
export function countTokens(receipts: readonly TokenCounts[], choicesPerPrompt: number): TokenCounts {
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)
  const prompts = receipts.filter((_, index) => index % choicesPerPrompt === 0)
  return {
    promptTokens: sum(prompts.map(({ promptTokens }) => promptTokens)),
    cachedTokens: sum(prompts.map(({ cachedTokens }) => cachedTokens)),
    completionTokens: sum(receipts.map(({ completionTokens }) => completionTokens)),
  }
}

/** `usage` of chat completions and completions. */
export function usage({ promptTokens, cachedTokens, completionTokens }: TokenCounts) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  }
}
