import type { Parameters } from './parameters.ts'
import { clamp, HOUR_MS } from './types.ts'

/** One booked trade, as far as detection needs it. */
export interface TradeEdge {
  provider: string
  consumer: string
  amountTrm: bigint
  atMs: number
}

/** Spec section 2.13. Scores run from 0 (nothing) to 1. */
export interface CollusionReport {
  subject: string
  tradesInWindow: number
  uniqueCounterparties: number
  /** Trades concentrated on one counterparty. */
  tightClusterScore: number
  /** One hour far above the others. */
  volumeSpikeScore: number
  /** Hourly volume too even to be demand (the original's "volume_spike"). */
  steadinessScore: number
  /** A closed circle of nodes that trade among themselves. */
  roundRobinScore: number
  /** 0 to COLLUSION_MAX_PENALTY, taken off the reputation. */
  trustPenalty: number
  flags: string[]
}

type Graph = readonly (readonly number[])[]

/**
 * Tarjan's strongly connected components with an explicit stack: a long chain of trades cannot overflow it.
 * @param graph successors by node; parallel edges and loops are allowed
 * @returns components, each a list of nodes
 */
export function stronglyConnectedComponents(graph: Graph): number[][] {
  const order = new Int32Array(graph.length).fill(-1)
  const low = new Int32Array(graph.length)
  const onStack = new Uint8Array(graph.length)
  const stack: number[] = []
  const components: number[][] = []
  let visited = 0
  const enter = (node: number) => {
    order[node] = low[node] = visited++
    stack.push(node)
    onStack[node] = 1
    return { node, next: 0 }
  }
  const lower = (node: number, bound: number) => {
    low[node] = Math.min(low[node] ?? bound, bound)
  }
  const popComponent = (root: number) => {
    const members = stack.splice(stack.lastIndexOf(root))
    for (const member of members) onStack[member] = 0
    components.push(members)
  }
  for (let start = 0; start < graph.length; start++) {
    if (order[start] !== -1) continue
    const path = [enter(start)]
    for (let frame = path.at(-1); frame; frame = path.at(-1)) {
      const { node } = frame
      const successor = graph[node]?.[frame.next++]
      if (successor !== undefined) {
        if (order[successor] === -1) path.push(enter(successor))
        else if (onStack[successor]) lower(node, order[successor] ?? 0)
        continue
      }
      path.pop()
      const parent = path.at(-1)
      if (parent) lower(parent.node, low[node] ?? 0)
      if (low[node] === order[node]) popComponent(node)
    }
  }
  return components
}

/** Score per node. A component of more than half of all nodes is the market itself, not a circle within it. */
function roundRobinScores(trades: readonly TradeEdge[], p: Parameters): Map<string, number> {
  const names = [...new Set(trades.flatMap(({ provider, consumer }) => [provider, consumer]))]
  const indexOf = new Map(names.map((name, index) => [name, index]))
  const graph: number[][] = names.map(() => [])
  for (const { provider, consumer } of trades) {
    graph[indexOf.get(provider) ?? 0]?.push(indexOf.get(consumer) ?? 0)
  }
  const scores = new Map<string, number>()
  const largest = Math.max(p.ROUND_ROBIN_MIN_MEMBERS, names.length / 2)
  for (const members of stronglyConnectedComponents(graph)) {
    if (members.length < p.ROUND_ROBIN_MIN_MEMBERS || members.length > largest) continue
    const inside = new Set(members)
    const successors = members.flatMap((member) => graph[member] ?? [])
    const closedness = successors.filter((successor) => inside.has(successor)).length / successors.length
    const score = clamp((closedness - p.ROUND_ROBIN_CLOSEDNESS) / (1 - p.ROUND_ROBIN_CLOSEDNESS), 0, 1)
    for (const member of members) scores.set(names[member] ?? '', score)
  }
  return scores
}

/** TRM per hour, hours without trades left out. */
function hourlyVolumes(trades: readonly TradeEdge[], windowStartMs: number): number[] {
  const hours = new Map<number, bigint>()
  for (const { amountTrm, atMs } of trades) {
    const hour = Math.floor((atMs - windowStartMs) / HOUR_MS)
    hours.set(hour, (hours.get(hour) ?? 0n) + amountTrm)
  }
  return [...hours.values()].filter((total) => total > 0n).map(Number)
}

/** (0.5 − cv) / 0.5 for a coefficient of variation below 0.5 (the original formula, vectors V8). */
export function steadinessScore(hourly: readonly number[], p: Parameters): number {
  if (hourly.length < p.STEADY_MIN_HOURS) return 0
  const mean = hourly.reduce((sum, volume) => sum + volume, 0) / hourly.length
  const variance = hourly.reduce((sum, volume) => sum + (volume - mean) ** 2, 0) / hourly.length
  return clamp((p.STEADY_VARIATION - Math.sqrt(variance) / mean) / p.STEADY_VARIATION, 0, 1)
}

/** How far the largest hour stands above the median of the other hours: 0 up to 5 times, 1 from 20 times. */
export function volumeSpikeScore(hourly: readonly number[], p: Parameters): number {
  if (hourly.length < p.SPIKE_MIN_HOURS) return 0
  const sorted = [...hourly].sort((left, right) => left - right)
  const largest = sorted.pop() ?? 0
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? largest
  return clamp((largest / median - p.SPIKE_RATIO_FROM) / (p.SPIKE_RATIO_FULL - p.SPIKE_RATIO_FROM), 0, 1)
}

/** (share − 0.2) / 0.8 above a fifth of all trades with one counterparty. */
export function tightClusterScore(topShare: number, p: Parameters): number {
  return clamp((topShare - p.TIGHT_CLUSTER_SHARE) / (1 - p.TIGHT_CLUSTER_SHARE), 0, 1)
}

function flagsOf(
  scores: Pick<
    CollusionReport,
    'tightClusterScore' | 'volumeSpikeScore' | 'steadinessScore' | 'roundRobinScore'
  >,
) {
  const texts: [number, string][] = [
    [scores.tightClusterScore, 'most trades are with one counterparty'],
    [scores.volumeSpikeScore, 'one hour stands far above the others'],
    [scores.steadinessScore, 'hourly volume is unusually even'],
    [scores.roundRobinScore, 'trades run in a closed circle of nodes'],
  ]
  return texts.filter(([score]) => score > 0).map(([, text]) => text)
}

function report(
  subject: string,
  trades: readonly TradeEdge[],
  windowStartMs: number,
  roundRobin: number,
  p: Parameters,
): CollusionReport {
  const counterparties = new Map<string, number>()
  for (const { provider, consumer } of trades) {
    const other = provider === subject ? consumer : provider
    counterparties.set(other, (counterparties.get(other) ?? 0) + 1)
  }
  const judged = trades.length >= p.COLLUSION_MIN_TRADES
  const mostWithOne = [...counterparties.values()].reduce((most, count) => Math.max(most, count), 0)
  const topShare = judged ? mostWithOne / trades.length : 0
  const hourly = judged ? hourlyVolumes(trades, windowStartMs) : []
  const scores = {
    tightClusterScore: tightClusterScore(topShare, p),
    volumeSpikeScore: volumeSpikeScore(hourly, p),
    steadinessScore: steadinessScore(hourly, p),
    roundRobinScore: judged ? roundRobin : 0,
  }
  // Rush hours and a fully booked machine are honest with many customers; suspicious only as far as one makes them.
  const shape = topShare * Math.max(scores.volumeSpikeScore, scores.steadinessScore)
  return {
    subject,
    tradesInWindow: trades.length,
    uniqueCounterparties: counterparties.size,
    ...scores,
    trustPenalty: p.COLLUSION_MAX_PENALTY * Math.max(scores.tightClusterScore, scores.roundRobinScore, shape),
    flags: flagsOf(scores),
  }
}

/**
 * Prepares the window once and answers for any node. The window is the 24 hours up to `nowMs`.
 * @returns a report; all scores are zero for fewer than ten trades
 */
export function collusionReports(
  trades: readonly TradeEdge[],
  nowMs: number,
  p: Parameters,
): (subject: string) => CollusionReport {
  const windowStartMs = nowMs - p.COLLUSION_WINDOW_MS
  const inWindow = trades.filter(({ atMs }) => atMs >= windowStartMs && atMs <= nowMs)
  const byNode = new Map<string, TradeEdge[]>()
  for (const trade of inWindow) {
    for (const party of [trade.provider, trade.consumer]) {
      const list = byNode.get(party)
      if (list) list.push(trade)
      else byNode.set(party, [trade])
    }
  }
  const roundRobin = roundRobinScores(inWindow, p)
  return (subject) =>
    report(subject, byNode.get(subject) ?? [], windowStartMs, roundRobin.get(subject) ?? 0, p)
}
