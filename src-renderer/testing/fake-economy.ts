import { randomBytes } from 'node:crypto'
import type {
  ApiKey,
  KeysView,
  ProcedureInput,
  ProcedureName,
  ProcedureOutput,
  WalletView,
} from '../../src-preload/contract/index.ts'
import { hex32 } from './samples.ts'

type Handlers<P extends ProcedureName> = { [N in P]: (input: ProcedureInput<N>) => ProcedureOutput<N> }

const DAY_MS = 86_400_000

export function sampleWallet(change: Partial<WalletView> = {}): WalletView {
  return {
    availableTrm: '0',
    income: { fromOthersTrm: '0', onCreditTrm: '0', ownUseTrm: '0' },
    nextStep: 'Claim the welcome loan: it opens this host to guests for 72 hours.',
    next: { code: 'claim', params: { hours: 72, stakeTrm: '100', capTrm: '10', haveTrm: '0' } },
    eligibility: 'bootstrap-window',
    welcomeLoan: 'available',
    stake: {
      stakedTrm: '0',
      multiplier: 1,
      locked: false,
      unlocksAtMs: null,
      minimumTrm: '100',
      terms: [
        { days: 7, multiplier: 1, minimumTrm: '100' },
        { days: 30, multiplier: 1.2, minimumTrm: '1000' },
        { days: 90, multiplier: 1.5, minimumTrm: '10000' },
        { days: 365, multiplier: 3, minimumTrm: '100000' },
      ],
    },
    pool: {
      totalTrm: '0',
      availableTrm: '0',
      yourDepositTrm: '0',
      maxBorrowTrm: '0',
      offeredRatePerHour: 0.0012,
      creditScore: 0.3,
    },
    loans: [],
    referrals: [],
    supply: { capTrm: '21000000000', mintedTrm: '0', epoch: 0, yieldRatePerHour: 0.001, feeActive: false },
    reputation: 0.5,
    ...change,
  }
}

/** A node that has been at it for a while. */
export const richWallet = (): WalletView =>
  sampleWallet({
    availableTrm: '12345678901234567890',
    income: { fromOthersTrm: '48211904', onCreditTrm: '3120', ownUseTrm: '1204511' },
    nextStep: null,
    next: null,
    eligibility: 'staked',
    welcomeLoan: 'used',
    stake: {
      ...sampleWallet().stake,
      stakedTrm: '25000',
      multiplier: 1.2,
      locked: true,
      unlocksAtMs: Date.now() + 14 * DAY_MS,
    },
    pool: {
      totalTrm: '180000',
      availableTrm: '61000',
      yourDepositTrm: '90000',
      maxBorrowTrm: '12200',
      offeredRatePerHour: 0.00104,
      creditScore: 0.618,
    },
    loans: [
      {
        loanId: hex32('loan'),
        principalTrm: '4000',
        collateralTrm: '12000',
        dueAtMs: Date.now() + 4 * DAY_MS,
      },
    ],
    referrals: [
      { referred: hex32('anna'), earnedEnough: true, repaid: true, bonusTrm: '100' },
      { referred: hex32('ben'), earnedEnough: true, repaid: false, bonusTrm: null },
    ],
    supply: {
      capTrm: '21000000000',
      mintedTrm: '17204331',
      epoch: 0,
      yieldRatePerHour: 0.001,
      feeActive: false,
    },
    reputation: 0.874,
  })

export function sampleKey(change: Partial<ApiKey> = {}): ApiKey {
  return {
    tokenHash: hex32('token'),
    label: 'Anna’s laptop',
    scope: 'inference',
    createdAtMs: 1_795_000_000_000,
    expiresAtMs: 1_797_600_000_000,
    retiring: false,
    nodeId: hex32('guest'),
    spentTrm: '412',
    balanceTrm: '-412',
    hourTrm: { used: '212', limit: '10000', fullness: 0.0212 },
    lifetimeTrm: { used: '412', limit: '1000000', fullness: 0.000412 },
    limits: {
      requestLimitTrm: '1000',
      hourLimitTrm: '10000',
      lifetimeLimitTrm: '1000000',
      approvalThresholdTrm: '500',
      attemptsPerMinute: 30,
    },
    stopped: null,
    ...change,
  }
}

export const severalKeys = (): ApiKey[] => [
  sampleKey(),
  sampleKey({
    tokenHash: hex32('ci'),
    label: 'CI runner of the studio',
    createdAtMs: 1_794_900_000_000,
    expiresAtMs: null,
    nodeId: hex32('ci-node'),
    spentTrm: '10000',
    balanceTrm: '2210',
    hourTrm: { used: '10000', limit: '10000', fullness: 1 },
    lifetimeTrm: { used: '10000', limit: '1000000', fullness: 0.01 },
    stopped: 'Stopped: it asked too often within a minute.',
  }),
  sampleKey({
    tokenHash: hex32('admin'),
    label: 'Second computer',
    createdAtMs: 1_794_800_000_000,
    scope: 'admin',
    retiring: true,
    nodeId: hex32('admin-node'),
    spentTrm: '0',
    balanceTrm: '0',
    hourTrm: { used: '0', limit: '10000', fullness: 0 },
    lifetimeTrm: { used: '0', limit: '1000000', fullness: 0 },
  }),
]

type WalletProcedure = Extract<ProcedureName, `wallet.${string}`>

/** Enough of the books to look at: nothing is refused. */
export function fakeWallet(first: WalletView): Handlers<WalletProcedure> {
  let view = first
  const change = (next: Partial<WalletView>) => {
    view = { ...view, ...next }
    return view
  }
  const sum = (a: string, b: string) => (BigInt(a) + BigInt(b)).toString()
  return {
    'wallet.get': () => view,
    'wallet.statement': () => ({
      startMs: 1_764_000_000_000,
      endMs: 1_764_604_800_000,
      trades: 214,
      fromOthersTrm: view.income.fromOthersTrm,
      ownUseTrm: view.income.ownUseTrm,
      spentTrm: '120',
      value: { amount: 3.42, currency: 'EUR' },
      json: '{}\n',
      tradesCsv: 'trade_id\r\n',
    }),
    'wallet.stake': ({ amountTrm, days }) =>
      change({
        availableTrm: sum(view.availableTrm, `-${amountTrm}`),
        stake: {
          ...view.stake,
          stakedTrm: sum(view.stake.stakedTrm, amountTrm),
          multiplier: view.stake.terms.find((term) => term.days === days)?.multiplier ?? 1,
          locked: true,
          unlocksAtMs: Date.now() + days * DAY_MS,
        },
      }),
    'wallet.unstake': () =>
      change({ stake: { ...view.stake, stakedTrm: '0', multiplier: 1, locked: false, unlocksAtMs: null } }),
    'wallet.claimWelcome': () =>
      change({
        welcomeLoan: 'active',
        eligibility: 'welcome-loan',
        nextStep: 'Stake at least 100 TRM before the welcome loan ends.',
        next: {
          code: 'loan-ends',
          params: { stakeTrm: '100', endsAt: new Date(Date.now() + 3 * DAY_MS).toISOString() },
        },
      }),
    'wallet.refer': ({ nodeId }) =>
      change({
        referrals: [
          ...view.referrals,
          { referred: nodeId, earnedEnough: false, repaid: false, bonusTrm: null },
        ],
      }),
    'wallet.deposit': ({ amountTrm }) =>
      change({ pool: { ...view.pool, yourDepositTrm: sum(view.pool.yourDepositTrm, amountTrm) } }),
    'wallet.withdraw': ({ amountTrm }) =>
      change({ pool: { ...view.pool, yourDepositTrm: sum(view.pool.yourDepositTrm, `-${amountTrm}`) } }),
    'wallet.borrow': ({ amountTrm, collateralTrm, termHours }) =>
      change({
        loans: [
          ...view.loans,
          {
            loanId: randomBytes(32).toString('hex'),
            principalTrm: amountTrm,
            collateralTrm,
            dueAtMs: Date.now() + termHours * 3_600_000,
          },
        ],
      }),
    'wallet.repay': ({ loanId }) => change({ loans: view.loans.filter((loan) => loan.loanId !== loanId) }),
  }
}

type KeyProcedure = Extract<ProcedureName, `keys.${string}`>

export function fakeKeys(first: ApiKey[]): Handlers<KeyProcedure> {
  let keys = first
  const put = (next: ApiKey[]): KeysView => {
    keys = next
    return { keys }
  }
  const change = (tokenHash: string, next: Partial<ApiKey>) =>
    put(keys.map((key) => (key.tokenHash === tokenHash ? { ...key, ...next } : key)))
  return {
    'keys.list': () => ({ keys }),
    'keys.issue': ({ label, scope, days }) => {
      const token = randomBytes(32).toString('hex')
      const now = Date.now()
      const fresh = sampleKey({
        ...{ tokenHash: hex32(token), label, scope, createdAtMs: now, spentTrm: '0', balanceTrm: '0' },
        expiresAtMs: days === null ? null : now + days * DAY_MS,
        nodeId: hex32(`node of ${token}`),
        hourTrm: { used: '0', limit: '10000', fullness: 0 },
        lifetimeTrm: { used: '0', limit: '1000000', fullness: 0 },
      })
      return { ...put([...keys, fresh]), token }
    },
    'keys.revoke': ({ tokenHash }) => put(keys.filter((key) => key.tokenHash !== tokenHash)),
    'keys.limit': ({ tokenHash, limits }) => change(tokenHash, { limits }),
    'keys.reset': ({ tokenHash }) => change(tokenHash, { stopped: null }),
  }
}
