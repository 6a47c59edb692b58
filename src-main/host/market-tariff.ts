import { type FlopCost, jobFlop } from '../inference/index.ts'
import { trmFromFlop } from '../kernel/index.ts'
import type { ModelCost, Price, Tariff } from '../market/index.ts'

const MICRO = 1_000_000n

/** The price of 10⁹ FLOP and the fee on it, as the economy computes them (`jobPrice`). */
export function priceOf(flop: bigint, { multiplierMicro, feeMicro }: Price): bigint {
  const amountTrm = trmFromFlop(flop, multiplierMicro)
  return amountTrm + (amountTrm * feeMicro) / MICRO
}

export const tariff: Tariff = {
  costTrm: (cost, price, promptTokens, completionTokens) =>
    priceOf(flopOf(cost, promptTokens, completionTokens), price),
}

export const flopOf = (cost: ModelCost, promptTokens: number, completionTokens: number): bigint =>
  jobFlop(flopCost(cost), promptTokens, completionTokens)

/** Equal layers that follow each other once, with their number: a signal is small. */
export function modelCost({ activeMatmulParameters, layers }: FlopCost): ModelCost {
  const runs: ModelCost['layers'] = []
  for (const { headCount, keyLength, valueLength, windowTokens } of layers) {
    const layer = { headCount, keyLength, valueLength, windowTokens }
    const last = runs.at(-1)
    const isSame =
      last?.headCount === headCount &&
      last.keyLength === keyLength &&
      last.valueLength === valueLength &&
      last.windowTokens === windowTokens
    if (isSame) last.count++
    else runs.push({ count: 1, ...layer })
  }
  return { activeMatmulParameters, layers: runs }
}

function flopCost({ activeMatmulParameters, layers }: ModelCost): FlopCost {
  return {
    activeMatmulParameters,
    layers: layers.flatMap(({ count, ...layer }) => Array.from({ length: count }, () => layer)),
  }
}
