import { TiramiError } from '../kernel/index.ts'
import type { Sale, SaleEvent } from '../market/index.ts'
import type { EconomyService } from './economy-service.ts'
import { type Consumer, FREE_TIER_TRM } from './keys.ts'
import { priceOf } from './market-tariff.ts'
import { modelIdOf } from './model.ts'
import { type ServingPorts, serve } from './serving.ts'

/** Another host as a consumer of this one: its key is its own. */
function guestHost(nodeId: string): Consumer {
  return {
    publicKeyHex: nodeId,
    label: `Host ${nodeId.slice(0, 8)}`,
    ownKey: false,
    creditLimitTrm: FREE_TIER_TRM,
    sign: () => {
      throw new Error('the key of another host is not held here')
    },
  }
}

/**
 * Sells one job to another host: the same path, with the same checks, as any other job.
 * @throws TiramiError as `serve`
 */
export async function* sellToHost(
  ports: ServingPorts & { economy: Pick<EconomyService, 'priceTerms'> },
  { consumer, model, request, signal, sealing }: Sale,
): AsyncGenerator<SaleEvent, void, void> {
  if (ports.model()?.id !== model || modelIdOf(model) !== model) throw notServed()
  const price = ports.economy.priceTerms()
  const remote = { sealing, costTrm: (flop: bigint) => priceOf(flop, price) }
  // The cache is per consumer, and a host asks for many people: nothing of one is kept for the next.
  const job = { ...request, cachePrompt: false }
  for await (const event of serve(ports, guestHost(consumer), job, signal, { remote })) {
    if (event.type === 'started') {
      const { promptTokens, maxAmountTrm } = event
      yield { type: 'started', promptTokens, price, maxAmountTrm }
    } else if (event.type === 'text') yield event
    else yield { type: 'booked', tradeId: event.receipt.trade.tradeId }
  }
}

function notServed(): TiramiError {
  return new TiramiError('MODEL_NOT_FOUND', 'The model is not served here any more.', {
    nextStep: 'Ask another host.',
    httpStatus: 404,
  })
}
