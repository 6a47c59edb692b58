import type { AuditResult, AuditsView } from '../../src-preload/contract/index.ts'
import {
  type Clock,
  hexFromBytes,
  type KeyPair,
  type Rng,
  readClockMs,
  sha256,
  type Timers,
  TiramiError,
} from '../kernel/index.ts'
import type { JournalEvent, Ledger } from '../ledger/index.ts'
import {
  type AuditEvidence,
  type AuditStanding,
  areIndependent,
  auditSecret,
  auditTier,
  type Candidate,
  type Comparison,
  compareAnswers,
  compareTranscript,
  evidenceFromWire,
  isShareable,
  type MarketNode,
  type ModelOffer,
  type Peer,
  type ProbedToken,
  type ProbeKind,
  probeRequest,
  questionOf,
  type RemoteRequest,
  SUSPICION_MS,
  verifyAuditEvidence,
  type WireAuditEvidence,
  wireEvidence,
} from '../market/index.ts'
import { AuditBooking } from './audit-buy.ts'
import type { ModelHolder } from './audit-models.ts'
import type { AuditRules, JudgedAudit, Suspicion } from './audit-rules.ts'
import type { EconomyService } from './economy-service.ts'
import { inOrder } from './in-order.ts'
import { meshOff } from './mesh-off.ts'
import type { Safety } from './safety.ts'

/** What becomes of evidence that another host has shown. */
export type HeardEvidence =
  /** Computed again here, and true: the first probe that fails. */
  | 'suspected'
  /** Computed again here, and true, and not the first. */
  | 'confirmed'
  /** Computed again here: the challenger's answer is the wrong one. Whoever signed it lies. */
  | 'refuted'
  /** Nothing can be said: this host has not the file, or is busy. It changes nothing. */
  | 'unproven'
  | 'known'
  /** Not what it says it is: whoever handed it on is to blame. */
  | 'invalid'

/** Tests whether other hosts serve the files that they stand by (spec section 2.9). */
export interface Audits {
  view(): AuditsView
  standingOf(nodeId: string): AuditStanding
  /** The evidence of a failure, as it was kept: of both probes, the first one first; null where there is none. */
  evidence(auditId: string): WireAuditEvidence[] | null
  /**
   * Audits one host now. @throws TiramiError MESH_OFF, AUDIT_NOT_HELD (409), AUDIT_UNNAMED (409), NO_PROVIDER (404),
   * AUDIT_BUDGET (409), or why nothing was bought
   */
  audit(nodeId: string, model: string): Promise<AuditResult>
  /** Something was bought of a host: an audit may follow, by the probability of its tier. */
  bought(nodeId: string, model: string): void
  hear(evidence: AuditEvidence): Promise<HeardEvidence>
  /** @param listener hears of every failure that may be told to everybody: the evidence of both probes */
  onEvidence(listener: (evidence: readonly AuditEvidence[]) => void): void
  close(): Promise<void>
}

export interface AuditPorts {
  /** Null while the mesh is off. */
  market(): Pick<MarketNode, 'peers' | 'candidate' | 'buy' | 'revealAudit'> | null
  rules: AuditRules
  holder: ModelHolder
  ledger: Ledger
  safety: Safety
  economy: Pick<EconomyService, 'punishFailedAudit' | 'parameters'>
  node: KeyPair
  clock: Clock
  rng: Rng
  timers: Timers
  /** Nobody's answer is kept waiting by a probe. */
  isIdle(): boolean
  budgetTrmPerDay(): number
  onChange(): void
}

const DAY_MS = 86_400_000
const RESULTS_SHOWN = 100
/** A host that was just started has better to do. */
const FIRST_LOOK_MS = 5 * 60_000
const LOOK_MS = 60_000
/** A suspected host is looked at again by itself, not more often than this. */
const LOOK_AGAIN_MS = 10 * 60_000
/** A probe does not follow at once on what was bought. */
const DELAY_MS = { least: 5_000, most: 60_000 }
const AUDIT_WITHIN_MS = 4 * 60_000
/** Probes that are made at once where an engine has to be started for them. */
const STOCK = 4
const PROMPT_TOKENS_GUESS = 64
/** Evidence of others that waits to be computed again. */
const HEARD_MAX = 8
/** One in so many probes asks for no log-probabilities, as most questions do not. */
const TEXT_PROBE_EVERY = 4

interface Probe {
  kind: ProbeKind
  request: RemoteRequest
  expected: ProbedToken[]
}

export function createAudits(ports: AuditPorts): Audits {
  const { rules, holder, clock, timers } = ports
  const serially = inOrder()
  const closing = new AbortController()
  const stock = new Map<string, Probe[]>()
  /** Hosts that are being audited: what is bought of them now is the audit. */
  const audited = new Set<string>()
  const waits = new Set<() => void>()
  let hearing = 0
  let tell: AuditOrder['tell'] = () => undefined

  const later = (afterMs: number, action: () => void): void => {
    const cancel = timers.after(afterMs, () => {
      waits.delete(cancel)
      if (!closing.signal.aborted) action()
    })
    waits.add(cancel)
  }
  const quietly = (nodeId: string, model: string): void => {
    // A host that cannot be audited now is no failure of this one: the result, or the next look, says it.
    audit(nodeId, model).catch(() => undefined)
  }
  const audit = (nodeId: string, model: string): Promise<AuditResult> =>
    serially(async () => {
      closing.signal.throwIfAborted()
      audited.add(nodeId)
      try {
        const result = await runAudit(ports, stock, { nodeId, model, signal: closing.signal, tell })
        if (result.verdict === 'suspected') soon(() => confirm(result))
        return result
      } finally {
        audited.delete(nodeId)
        ports.onChange()
      }
    })
  const soon = (action: () => void): void =>
    later(DELAY_MS.least + random(ports.rng) * (DELAY_MS.most - DELAY_MS.least), action)
  const confirm = ({ provider, model, weights }: AuditResult): void => {
    if (standingOf(ports, provider).suspectedWeights.includes(weights)) quietly(provider, model)
  }
  const look = (): void => {
    later(LOOK_MS, look)
    void holder.refresh().catch(() => undefined)
    if (ports.budgetTrmPerDay() === 0 || !ports.isIdle()) return
    const offers = offersOf(ports).filter(
      ({ offer }) => offer.weights !== null && holder.holds(offer.weights),
    )
    const doubted = offers.find(
      ({ peer, offer }) => isSuspected(ports, peer, offer) && !wasAuditedLately(ports, peer, offer),
    )
    if (!doubted && random(ports.rng) >= ports.economy.parameters().AUDIT_SAMPLE_RATE) return
    const chosen = doubted ?? drawn(offers)
    if (chosen) quietly(chosen.peer.nodeId, chosen.offer.id)
  }
  const drawn = (offers: ReturnType<typeof offersOf>) => {
    const weight = ({ peer }: (typeof offers)[number]) => tierOf(rules, peer).auditProbability
    let left = random(ports.rng) * offers.reduce((sum, offer) => sum + weight(offer), 0)
    return offers.find((offer) => {
      left -= weight(offer)
      return left < 0
    })
  }
  later(FIRST_LOOK_MS, look)
  void holder.refresh().catch(() => undefined)

  return {
    view: () => viewOf(ports),
    standingOf: (nodeId) => standingOf(ports, nodeId),
    evidence: (auditId) => evidenceOf(rules.results().find((result) => result.auditId === auditId)),
    audit,
    bought: (nodeId, model) => {
      if (ports.budgetTrmPerDay() === 0 || audited.has(nodeId)) return
      const sold = offersOf(ports).find(({ peer, offer }) => peer.nodeId === nodeId && offer.id === model)
      if (!sold?.offer.weights || !holder.holds(sold.offer.weights)) return
      const { auditProbability } = tierOf(rules, sold.peer)
      if (!isSuspected(ports, sold.peer, sold.offer) && random(ports.rng) >= auditProbability) return
      soon(() => quietly(nodeId, model))
    },
    hear: async (evidence) => {
      if (hearing >= HEARD_MAX) return 'unproven'
      hearing++
      try {
        return await serially(() => judgeHeard(ports, evidence, closing.signal))
      } finally {
        hearing--
        ports.onChange()
      }
    },
    onEvidence: (listener) => {
      tell = listener
    },
    close: async () => {
      closing.abort()
      for (const cancel of waits) cancel()
      // What runs is booked before the ledger closes.
      await serially(async () => undefined)
    },
  }

  function viewOf({ budgetTrmPerDay }: AuditPorts): AuditsView {
    return {
      budgetTrmPerDay: String(budgetTrmPerDay()),
      spentTrm: String(spentTrm(rules, readClockMs(clock))),
      offers: offersOf(ports).map(({ peer, offer }) => offerView(ports, peer, offer)),
      results: rules.results().slice(0, RESULTS_SHOWN).map(resultView),
    }
  }
}

interface AuditOrder {
  nodeId: string
  model: string
  signal: AbortSignal
  tell(evidence: readonly AuditEvidence[]): void
}

/** One audit: compute, commit, buy, open, judge, write down. */
async function runAudit(
  ports: AuditPorts,
  stock: Map<string, Probe[]>,
  { nodeId, model, signal, tell }: AuditOrder,
): Promise<AuditResult> {
  const market = ports.market()
  if (!market) throw meshOff()
  const within = AbortSignal.any([signal, AbortSignal.timeout(AUDIT_WITHIN_MS)])
  const { candidate, weights } = await auditable(ports, market, nodeId, model)
  // A doubt is settled by the probe that tells more.
  const isDoubted = ports.rules.suspicionOf(nodeId, weights) !== null
  const probe = await takeProbe(ports, stock, { weights, isDoubted, signal: within })
  const secret = auditSecret(ports.rng.bytes(32), probe.expected)
  const left = BigInt(ports.budgetTrmPerDay()) - spentTrm(ports.rules, readClockMs(ports.clock))
  const booking = new AuditBooking(ports, candidate, left)
  const askedAtMs = readClockMs(ports.clock)
  await market.buy(candidate, probe.request, within, booking, secret)
  const transcript = booking.bought?.transcript ?? null
  const judged = await write(ports, {
    auditId: hexFromBytes(sha256(booking.begin)),
    askedAtMs,
    question: questionOf(probe.request),
    challenger: ports.node.publicKeyHex,
    provider: nodeId,
    model,
    weights,
    probe: probe.kind,
    comparison: transcript && compareTranscript(probe.expected, probe.request, transcript),
    costTrm: booking.costTrm,
    evidence: transcript && market.revealAudit(transcript, secret),
  })
  const told = evidenceOf(judged)
  if (told) tell(told.map(evidenceFromWire))
  return resultView(judged)
}

/** @throws TiramiError */
async function auditable(
  { holder }: AuditPorts,
  market: Pick<MarketNode, 'candidate'>,
  nodeId: string,
  model: string,
): Promise<{ candidate: Candidate; weights: string }> {
  const { maxTokens } = probeRequest(NO_CHOICE, 'logprobs')
  const candidate = market.candidate(nodeId, model, { promptTokens: PROMPT_TOKENS_GUESS, maxTokens })
  if (!candidate) throw notOffered()
  const { weights } = candidate.offer
  if (weights === null) throw unnamed()
  if (!holder.holds(weights)) await holder.refresh()
  if (!holder.holds(weights)) throw notHeld()
  return { candidate, weights }
}

const NO_CHOICE: Rng = { bytes: (length) => new Uint8Array(length) }

/** Computed before anything is asked: what is expected is settled by then. */
async function takeProbe(
  { holder, rng }: AuditPorts,
  stock: Map<string, Probe[]>,
  { weights, isDoubted, signal }: { weights: string; isDoubted: boolean; signal: AbortSignal },
): Promise<Probe> {
  const ready = stock.get(weights) ?? []
  stock.set(weights, ready)
  const next = () => {
    const at = isDoubted ? ready.findIndex(({ kind }) => kind === 'logprobs') : 0
    return at < 0 ? undefined : ready.splice(at, 1)[0]
  }
  const kept = next()
  if (kept) return kept
  const requests = Array.from({ length: STOCK }, () => probeRequest(rng, 'logprobs'))
  const answers = await holder.answer(weights, requests, signal)
  for (const [index, { tokens, isPlain }] of answers.entries()) {
    const request = requests[index]
    if (!request || tokens.length === 0) continue
    const kind = isPlain && index % TEXT_PROBE_EVERY === TEXT_PROBE_EVERY - 1 ? 'text' : 'logprobs'
    const { topLogprobs: _asked, ...bare } = request
    ready.push({ kind, request: kind === 'text' ? bare : request, expected: tokens })
  }
  const probe = next()
  if (!probe) throw saysNothing()
  return probe
}

interface Written {
  auditId: string
  askedAtMs: number
  question: string
  challenger: string
  provider: string
  model: string
  weights: string
  probe: ProbeKind
  /** Null: the answer broke off, or was not of the form that was asked for. */
  comparison: Comparison | null
  costTrm: bigint
  evidence: AuditEvidence | null
}

/**
 * The first probe that fails is a suspicion; a second, independent one is a failure. A failure and what it costs the
 * host are one record.
 */
async function write(ports: AuditPorts, written: Written): Promise<JudgedAudit> {
  const { comparison, evidence, costTrm, ...facts } = written
  const compared = comparison?.verdict ?? 'inconclusive'
  const suspicion = ports.rules.suspicionOf(facts.provider, facts.weights)
  const first = compared === 'failed' && suspicion && areIndependent(suspicion, facts) ? suspicion : null
  const verdict = compared === 'failed' && !first ? 'suspected' : compared
  const judged = (burnedTrm: bigint): JudgedAudit => ({
    kind: 'audit.judged',
    atMs: readClockMs(ports.clock),
    ...facts,
    verdict,
    tokens: comparison?.tokens ?? 0,
    meanDeltaNats: comparison?.meanDeltaNats ?? null,
    partedNats: comparison?.partedNats ?? null,
    costTrm: String(costTrm),
    burnedTrm: String(burnedTrm),
    sentence: sentenceOf(comparison),
    evidence: compared === 'failed' && evidence && isShareable(evidence) ? wireEvidence(evidence) : null,
    ...(first ? { first: { auditId: first.auditId, evidence: first.evidence } } : {}),
  })
  let kept = judged(0n)
  if (!first) await ports.ledger.post([kept])
  else {
    await ports.economy.punishFailedAudit(
      { node: facts.provider, auditIds: [first.auditId, facts.auditId] },
      ({ burnedTrm }): JournalEvent[] => {
        kept = judged(burnedTrm)
        return [kept]
      },
    )
  }
  return kept
}

/** Nothing that another host says about a third one counts here before it was computed here. */
async function judgeHeard(
  ports: AuditPorts,
  evidence: AuditEvidence,
  signal: AbortSignal,
): Promise<HeardEvidence> {
  const verified = verifyAuditEvidence(evidence)
  if (!verified.ok || verified.finding.comparison.verdict !== 'failed') return 'invalid'
  const { finding } = verified
  const { auditId, challenger, provider, model, weights, request, atMs: askedAtMs } = finding
  if (ports.rules.knows(auditId)) return 'known'
  // What this host serves it knows; that it fails its own audit would say nothing.
  if (provider === ports.node.publicKeyHex || !ports.holder.holds(weights) || !ports.isIdle())
    return 'unproven'
  const withLogprobs = {
    ...request,
    topLogprobs: request.topLogprobs ?? probeRequest(NO_CHOICE, 'logprobs').topLogprobs ?? 0,
  }
  const [own] = await ports.holder.answer(weights, [withLogprobs], signal).catch(() => [])
  if (!own) return 'unproven'
  if (compareAnswers(own.tokens, { tokens: finding.expected }).verdict === 'failed') return 'refuted'
  const comparison = compareTranscript(own.tokens, request, evidence.transcript)
  if (comparison?.verdict !== 'failed') return 'unproven'
  const probe = request.topLogprobs === undefined ? 'text' : 'logprobs'
  const question = questionOf(request)
  const asked = { auditId, askedAtMs, question, challenger, provider, model, weights, probe } as const
  const { verdict } = await write(ports, { ...asked, comparison, costTrm: 0n, evidence })
  return verdict === 'failed' ? 'confirmed' : 'suspected'
}

function evidenceOf(judged: JudgedAudit | undefined): WireAuditEvidence[] | null {
  if (judged?.verdict !== 'failed' || !judged.evidence) return null
  // From before two were needed.
  if (!judged.first) return [judged.evidence]
  return judged.first.evidence && [judged.first.evidence, judged.evidence]
}

/** A suspicion is forgotten when no second probe could count with it any more. */
function standingOf({ rules, clock }: AuditPorts, nodeId: string): AuditStanding & AuditCounts {
  const { suspicions, ...standing } = rules.standingOf(nodeId)
  const isOpen = ({ askedAtMs }: Suspicion) => readClockMs(clock) - askedAtMs <= SUSPICION_MS
  return { ...standing, suspectedWeights: suspicions.filter(isOpen).map(({ weights }) => weights) }
}

interface AuditCounts {
  passed: number
  failed: number
}

const isSuspected = (ports: AuditPorts, { nodeId }: Peer, { weights }: ModelOffer): boolean =>
  weights !== null && standingOf(ports, nodeId).suspectedWeights.includes(weights)

const wasAuditedLately = ({ rules, clock }: AuditPorts, { nodeId }: Peer, { weights }: ModelOffer): boolean =>
  rules
    .results()
    .some(
      (result) =>
        result.provider === nodeId &&
        result.weights === weights &&
        readClockMs(clock) - result.atMs < LOOK_AGAIN_MS,
    )

const offersOf = ({ market }: AuditPorts): { peer: Peer; offer: ModelOffer }[] =>
  (market()?.peers() ?? []).flatMap((peer) => peer.signal.models.map((offer) => ({ peer, offer })))

const tierOf = (rules: AuditRules, { nodeId, verifiedTrades }: Peer) =>
  auditTier(verifiedTrades, rules.standingOf(nodeId))

function offerView(ports: AuditPorts, peer: Peer, offer: ModelOffer): AuditsView['offers'][number] {
  const { rules, holder } = ports
  const { passed, failed, failedWeights } = standingOf(ports, peer.nodeId)
  const { id: model, weights } = offer
  const state = weights === null ? 'unnamed' : holder.holds(weights) ? 'auditable' : 'not-held'
  return {
    nodeId: peer.nodeId,
    model,
    weights,
    state,
    tier: tierOf(rules, peer).tier,
    passed,
    failed,
    excluded: weights !== null && failedWeights.includes(weights),
    suspected: isSuspected(ports, peer, offer),
  }
}

function resultView({ kind: _kind, evidence: _evidence, first: _first, ...audit }: JudgedAudit): AuditResult {
  const { askedAtMs: _askedAtMs, question: _question, ...result } = audit
  return result
}

/** What audits of this host have cost in the last day. */
function spentTrm(rules: AuditRules, nowMs: number): bigint {
  const recent = rules.results().filter(({ atMs }) => nowMs - atMs < DAY_MS)
  return recent.reduce((sum, { costTrm }) => sum + BigInt(costTrm), 0n)
}

function sentenceOf(comparison: Comparison | null): string {
  if (!comparison)
    return 'The answer broke off or was not of the form that was asked for: nothing could be compared.'
  const { verdict, tokens, partedNats } = comparison
  if (verdict === 'inconclusive') return `Only ${tokens} tokens could be compared: too few to judge.`
  if (verdict === 'passed') return `${tokens} tokens are as the named model file gives them.`
  return partedNats === null
    ? `The probabilities of ${tokens} tokens are not those of the named model file.`
    : `Token ${tokens} is one that the named model file does not choose there.`
}

/** Uniform on [0, 1). */
function random(rng: Rng): number {
  const [a = 0, b = 0, c = 0, d = 0] = rng.bytes(4)
  return (a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) / 2 ** 32
}

function notOffered(): TiramiError {
  return new TiramiError('NO_PROVIDER', 'That host does not offer this model now.', {
    nextStep: 'Look at GET /v1/tirami/peers for what is offered.',
    httpStatus: 404,
  })
}

function unnamed(): TiramiError {
  return new TiramiError(
    'AUDIT_UNNAMED',
    'That host names no model file, so there is nothing to hold it to.',
    {
      nextStep: 'Nothing can be done here.',
      httpStatus: 409,
    },
  )
}

function notHeld(): TiramiError {
  return new TiramiError('AUDIT_NOT_HELD', 'Not auditable here: this host has not the same model file.', {
    nextStep: 'Install that very file; its SHA-256 is in GET /v1/tirami/audits.',
    httpStatus: 409,
  })
}

function saysNothing(): TiramiError {
  return new TiramiError('AUDIT_SILENT', 'The model ends every probe at once: there is nothing to compare.', {
    nextStep: 'Nothing can be done here.',
    httpStatus: 409,
  })
}
