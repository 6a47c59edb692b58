import type {
  AuditResult,
  AuditsView,
  MeshLoan,
  MeshLoansView,
  MeshOffer,
  MeshPeer,
  MeshTrade,
  MeshView,
  ProcedureInput,
  ProcedureOutput,
  UncountedStatement,
} from '../../src-preload/contract/index.ts'
import { hex32 } from './samples.ts'

const MODELS = [
  { id: 'qwen3:4b-q4_k_m', contextTokens: 40_960, trm: 9_230 },
  { id: 'llama3.2:3b-q4_k_m', contextTokens: 131_072, trm: 7_110 },
  { id: 'gpt-oss:20b-mxfp4', contextTokens: 131_072, trm: 8_040 },
  { id: 'qwen2.5-coder:7b-q4_k_m', contextTokens: 32_768, trm: 16_750 },
] as const

const idOf = (index: number) => hex32(`host ${index * 7919}`)

function offerOf(index: number, price: number): MeshOffer {
  const { id, contextTokens, trm } = MODELS[index % MODELS.length] ?? MODELS[0]
  return { id, contextTokens, demonstration: false, trmPer1000Tokens: String(Math.ceil(trm * price)) }
}

export function samplePeer(index: number, change: Partial<MeshPeer> = {}): MeshPeer {
  const price = 0.8 + ((index * 37) % 60) / 100
  const traded = index % 3 === 0 ? (index * 13) % 140 : index % 4
  return {
    nodeId: idOf(index),
    connected: index % 5 !== 4,
    reputation: 0.5 + ((index * 17) % 50) / 100,
    latencyMs: traded === 0 ? null : 180 + ((index * 211) % 2_400),
    lastSeenMs: Date.now() - index * 1_300,
    auditTier:
      traded >= 100 ? 'trusted' : traded >= 10 ? 'established' : traded > 0 ? 'probationary' : 'unverified',
    verifiedTrades: traded,
    priceMultiplier: price,
    load: { running: index % 3, queued: index % 2, slots: 4 },
    models: Array.from({ length: index % 4 }, (_, at) => offerOf(index + at, price)),
    ...change,
  }
}

function sampleTrade(index: number): MeshTrade {
  return {
    tradeId: hex32(`mesh trade ${index}`),
    role: index % 3 === 0 ? 'bought' : 'sold',
    other: idOf((index % 5) + 1),
    model: MODELS[index % MODELS.length]?.id ?? '',
    amountTrm: String(120 + ((index * 977) % 8_000)),
    tokens: 80 + ((index * 331) % 1_400),
    atMs: Date.now() - index * 260_000 - 40_000,
  }
}

export const meshOff = (): MeshView => ({
  nodeId: hex32('me'),
  enabled: false,
  addresses: [],
  peers: [],
  peersKnown: 0,
  links: [],
  standing: {
    offered: [],
    offers: [],
    priceMultiplier: 1,
    notOffering: {
      code: 'MESH_OFF',
      message: 'This host does not take part in the market of other hosts.',
      nextStep: 'Switch it on on the page Market.',
    },
    gate: { capTrm: '10', earnedTrm: '3', stakeTrm: '100' },
    reputation: 0.5,
    stakedTrm: '0',
    seenBy: [],
    trades: 0,
    unconfirmedTrades: 0,
    sendsPrompts: false,
    allowedKeys: [],
  },
  trades: [],
  observedTrades: 0,
  banned: [],
  disputes: [],
  uncounted: [],
})

/** A market of so many hosts. */
export function sampleMesh(count: number): MeshView {
  const off = meshOff()
  const peers = Array.from({ length: count }, (_, index) => samplePeer(index + 1))
  const trades = Array.from({ length: count === 0 ? 0 : 40 }, (_, index) => sampleTrade(index))
  const link = (a: number, b: number, size: number) => ({ a: idOf(a), b: idOf(b), trades: size })
  return {
    ...off,
    enabled: true,
    addresses: [
      '/ip4/192.168.1.20/tcp/4001/p2p/12D3KooWHk9vX7rQpGyY1uD6m2VbnWqTgXk3n4Jx5uYd8Lr2s7Qa',
      '/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWHk9vX7rQpGyY1uD6m2VbnWqTgXk3n4Jx5uYd8Lr2s7Qa',
    ],
    peers,
    peersKnown: count,
    links: count < 8 ? [] : [link(1, 3, 41), link(2, 6, 12), link(5, 7, 3)],
    standing: {
      ...off.standing,
      offered: ['qwen3:4b-q4_k_m'],
      offers: [offerOf(0, 0.94)],
      priceMultiplier: 0.94,
      notOffering: null,
      gate: { ...off.standing.gate, capTrm: count < 8 ? '10' : null },
      reputation: 0.83,
      stakedTrm: '25000',
      seenBy: peers.slice(0, 3).map(({ nodeId }, index) => ({
        observer: nodeId,
        reputation: 0.78 + index / 20,
        trades: 12 - index * 4,
        atMs: Date.now() - (index + 1) * 3_600_000,
      })),
      trades: trades.length,
      unconfirmedTrades: count > 0 ? 1 : 0,
      allowedKeys: [],
    },
    trades,
    observedTrades: count * 14,
    banned: count < 8 ? [] : [{ nodeId: idOf(999), untilMs: Date.now() + 540_000 }],
    disputes:
      count < 8
        ? []
        : [
            {
              atMs: Date.now() - 5_400_000,
              provider: idOf(999),
              consumer: off.nodeId,
              model: 'qwen3:4b-q4_k_m',
              reason: 'price-above-signed',
              sentence: 'The host asked for more than its signed price.',
            },
          ],
    uncounted: count < 8 ? [] : sampleUncounted(),
  }
}

const sampleUncounted = (): UncountedStatement[] => [
  {
    kind: 'vote',
    author: idOf(3),
    subject: hex32('proposal'),
    approve: true,
    code: 'no-proposal',
    reason: 'Its proposal is not open here.',
  },
  {
    kind: 'proposal',
    author: idOf(3),
    subject: 'WELCOME_LOAN_AMOUNT = 900',
    approve: null,
    code: 'few-trades',
    reason: 'The trades of its observer, with the subject or with this host, are too few.',
  },
  {
    kind: 'complaint',
    author: idOf(6),
    subject: null,
    approve: null,
    code: 'not-trusted',
    reason: 'Whoever complains has not served this host enough to be believed.',
  },
]

/** A lender and a borrower of some days. */
export function sampleLoans({ enabled, peers }: MeshView): MeshLoansView {
  const loan = (index: number, change: Partial<MeshLoan> = {}): MeshLoan => ({
    loanId: hex32(`loan ${index}`),
    role: index % 2 === 0 ? 'lent' : 'borrowed',
    other: idOf(index + 1),
    principalTrm: String(1_200 + index * 350),
    dueTrm: String(1_234 + index * 360),
    ratePerHour: 0.0012,
    collateralTrm: String(600 + index * 150),
    dueAtMs: Date.now() + (index + 1) * 6 * 3_600_000,
    state: 'active',
    ...change,
  })
  const { state: _state, ...offered } = loan(7)
  const many = peers.length >= 8
  return {
    enabled,
    availableTrm: '48211',
    borrowers: peers.slice(0, 3).map(({ nodeId }, index) => ({
      nodeId,
      earnedTrm: String(9_000 - index * 2_500),
      ratePerHour: 0.0012 + index * 0.0004,
    })),
    loanToValue: 3,
    termHoursMax: 168,
    offers: many ? [{ ...offered, expiresAtMs: Date.now() + 2_400_000 }] : [],
    loans: many
      ? [
          loan(0),
          loan(1),
          loan(2, { state: 'overdue', dueAtMs: Date.now() - 3_600_000 }),
          loan(3, { state: 'repaid', dueAtMs: Date.now() - 86_400_000 }),
          loan(4, { state: 'defaulted', dueAtMs: Date.now() - 3 * 86_400_000 }),
        ]
      : [],
  }
}

const weights = hex32('weights')

const sampleAudit = (provider: string, change: Partial<AuditResult> = {}): AuditResult => ({
  auditId: hex32(`audit ${provider}`),
  atMs: Date.now() - 7_200_000,
  challenger: hex32('me'),
  provider,
  model: 'qwen3:4b-q4_k_m',
  weights,
  verdict: 'passed',
  probe: 'logprobs',
  tokens: 48,
  meanDeltaNats: 0.0021,
  partedNats: null,
  costTrm: '410',
  burnedTrm: '0',
  sentence: '48 tokens are as the named model file gives them.',
  ...change,
})

/** Audits of the hosts that serve something. */
export function sampleAudits({ peers }: MeshView): AuditsView {
  const offers = peers.flatMap(({ nodeId, auditTier, models }, index) =>
    models.map(({ id }) => ({
      nodeId,
      model: id,
      weights: index === 3 ? null : weights,
      state:
        index === 3 ? ('unnamed' as const) : index % 2 === 0 ? ('auditable' as const) : ('not-held' as const),
      tier: auditTier,
      passed: index % 3,
      failed: index === 4 ? 1 : 0,
      excluded: index === 4,
      suspected: index === 6,
    })),
  )
  const failed = { verdict: 'failed', meanDeltaNats: 0.61, partedNats: 3.4, burnedTrm: '1250' } as const
  const results =
    peers.length < 5
      ? []
      : [
          sampleAudit(idOf(1)),
          sampleAudit(idOf(5), { ...failed, sentence: 'The answer is not the named model file’s.' }),
        ]
  return { budgetTrmPerDay: '2000', spentTrm: results.length === 0 ? '0' : '820', offers, results }
}

export function fakeMesh(mesh: MeshView): {
  'mesh.get': () => MeshView
  'mesh.allowKey': (input: ProcedureInput<'mesh.allowKey'>) => ProcedureOutput<'mesh.allowKey'>
  'mesh.audits': () => AuditsView
  'mesh.audit': (input: ProcedureInput<'mesh.audit'>) => AuditResult
  'mesh.loans': () => MeshLoansView
  'mesh.lend': (input: ProcedureInput<'mesh.lend'>) => MeshLoansView
  'mesh.answerLoan': (input: ProcedureInput<'mesh.answerLoan'>) => MeshLoansView
  'mesh.repayLoan': (input: ProcedureInput<'mesh.repayLoan'>) => MeshLoansView
} {
  let view = mesh
  let loans = sampleLoans(mesh)
  const after = (change: Partial<MeshLoansView>) => {
    loans = { ...loans, ...change }
    return loans
  }
  return {
    'mesh.loans': () => loans,
    'mesh.lend': () => loans,
    'mesh.answerLoan': ({ loanId }) =>
      after({ offers: loans.offers.filter((offer) => offer.loanId !== loanId) }),
    'mesh.repayLoan': ({ loanId }) =>
      after({
        loans: loans.loans.map((loan) =>
          loan.loanId === loanId ? { ...loan, state: 'repaid' as const } : loan,
        ),
      }),
    'mesh.audits': () => sampleAudits(view),
    'mesh.audit': ({ nodeId, model }) => sampleAudit(nodeId, { model, atMs: Date.now() }),
    'mesh.get': () => view,
    'mesh.allowKey': ({ consumer, allowed }) => {
      const others = view.standing.allowedKeys.filter((key) => key !== consumer)
      const allowedKeys = allowed ? [...others, consumer] : others
      view = { ...view, standing: { ...view.standing, allowedKeys } }
      return view
    },
  }
}
