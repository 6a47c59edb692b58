/** What one job brought and what its electricity cost, in the owner's currency. */
export interface ReturnSample {
  value: number
  cost: number
}

export interface Return {
  value: number
  cost: number
  /** value / cost; Infinity when something was earned at no cost, null when there was neither. */
  gross: number | null
  /** (value - cost) / cost. */
  net: number | null
}

/** Return over all samples together: one expensive failure weighs as much as it cost. */
export function returnOf(samples: readonly ReturnSample[]): Return {
  let value = 0
  let cost = 0
  for (const sample of samples) {
    value += sample.value
    cost += sample.cost
  }
  if (value === 0 && cost === 0) return { value, cost, gross: null, net: null }
  const gross = cost === 0 ? Number.POSITIVE_INFINITY : value / cost
  return { value, cost, gross, net: gross - 1 }
}

const JOULES_PER_KWH = 3_600_000

/** Cost of `energyJ` joules in the owner's currency; null where energy or price is not known. */
export function energyCost(energyJ: number | null, perKwh: number | null): number | null {
  return energyJ === null || perKwh === null ? null : (energyJ / JOULES_PER_KWH) * perKwh
}

/** Worth of `amountTrm` to the owner; null where he has set no price. */
export function trmValue(amountTrm: bigint, perTrm: number | null): number | null {
  return perTrm === null ? null : Number(amountTrm) * perTrm
}
