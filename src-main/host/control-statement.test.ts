import { expect, test } from 'vitest'
import { FAST_PARENT, T0, withDirectory } from '../ledger/test-support.ts'
import { statementHandlers } from './control-statement.ts'
import { createSettlement } from './economy-settlement.ts'
import { EconomyHouse, HOUR, NODE, OWNER, stranger } from './testing/economy-house.ts'

function withStatements(
  body: (
    house: EconomyHouse,
    statement: (
      period: '24h' | '7d' | '30d' | 'month',
      perTrm?: number | null,
    ) => ReturnType<ReturnType<typeof statementHandlers>['wallet.statement']>,
    tradeCount: (count: number) => void,
  ) => Promise<void>,
): Promise<void> {
  return withDirectory(async (directory) => {
    const house = await new EconomyHouse(directory).open()
    let pretended: number | null = null
    const ledger = { tradeCount: () => pretended ?? house.ledger.tradeCount() }
    const settlement = createSettlement({ directory, ledger, clock: house.clock })
    const ports = { settlement, clock: house.clock, nodeId: NODE.publicKeyHex }
    try {
      await body(
        house,
        (period, perTrm = null) =>
          statementHandlers({ ...ports, prices: () => ({ per_trm: perTrm, currency: 'EUR' }) })[
            'wallet.statement'
          ]({ period }),
        (count) => {
          pretended = count
        },
      )
    } finally {
      await house.close()
    }
  }, FAST_PARENT)
}

test('a statement sums up what others paid, own use and spending within its period', () =>
  withStatements(async (house, statement) => {
    await house.trade(NODE, stranger(0), 100n)
    house.clock.ms = T0 + 40 * HOUR
    await house.trade(NODE, stranger(0), 7n)
    await house.trade(NODE, OWNER, 5n)
    await house.trade(stranger(1), NODE, 3n)
    const day = await statement('24h', 0.5)
    expect(day).toMatchObject({ trades: 3, fromOthersTrm: '7', ownUseTrm: '5', spentTrm: '3' })
    expect(day.value).toEqual({ amount: 3.5, currency: 'EUR' })
    const week = await statement('7d')
    expect(week).toMatchObject({ trades: 4, fromOthersTrm: '107', value: null })
    const { trades } = JSON.parse(week.json) as { trades: { trade_id: string }[] }
    const rows = week.tradesCsv.trimEnd().split('\r\n')
    expect(rows.slice(1).map((row) => row.split(',')[0])).toEqual(trades.map((trade) => trade.trade_id))
    expect(rows.map((row) => row.split(',').at(-1))).toEqual(['own_use', 'false', 'false', 'true', 'false'])
  }))

test('a ledger that is too long is refused with the next step', () =>
  withStatements(async (_house, statement, tradeCount) => {
    tradeCount(20_001)
    await expect(statement('month')).rejects.toMatchObject({
      code: 'SETTLEMENT_TOO_LARGE',
      nextStep: expect.stringContaining('npm run ledger'),
    })
  }))
