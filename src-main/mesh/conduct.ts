/** What a node did wrong, by weight: one `forged` is a ban, as are a few `malformed` in a short time. */
export const FAULT_WEIGHT = {
  /** More than it may: it is slowed down first. */
  flooding: 5,
  malformed: 20,
  replayed: 10,
  /** Breaks the rules of a conversation. */
  protocol: 20,
  /** A signature that does not fit, two histories, a price above its signed one. */
  forged: 100,
} as const
export type Fault = keyof typeof FAULT_WEIGHT

export interface ConductRules {
  banAtPoints: number
  /** Points halve in this time. */
  halfLifeMs: number
  /** The first ban; each later one lasts twice as long, up to the maximum. */
  banMs: number
  banMaxMs: number
  /** Messages per second and at once, per node. */
  rate: { perSecond: number; burst: number }
  /** Bytes per second and at once, per node. */
  bytes: { perSecond: number; burst: number }
  nodesMax: number
}

export const CONDUCT_RULES: ConductRules = {
  banAtPoints: 100,
  halfLifeMs: 600_000,
  banMs: 600_000,
  banMaxMs: 86_400_000,
  rate: { perSecond: 100, burst: 400 },
  bytes: { perSecond: 512 * 1024, burst: 4 * 1024 * 1024 },
  nodesMax: 10_000,
}

interface Record {
  points: number
  atMs: number
  bans: number
  bannedUntilMs: number
  messages: number
  bytes: number
  refilledAtMs: number
}

/** What outlives a restart: whoever has points or was banned. */
export type SavedConduct = [
  nodeId: string,
  record: { points: number; atMs: number; bans: number; bannedUntilMs: number },
][]

/** Rates, faults and bans per node. All times are milliseconds since the Unix epoch. */
export class Conduct {
  readonly #rules: ConductRules
  /** Longest unseen first. */
  readonly #nodes = new Map<string, Record>()

  constructor(saved: SavedConduct = [], rules: ConductRules = CONDUCT_RULES) {
    this.#rules = rules
    for (const [nodeId, record] of saved) this.#nodes.set(nodeId, { ...this.#fresh(record.atMs), ...record })
  }

  /** Counts a message of `byteLength` bytes. False: it is over its rate, and the message is to be dropped. */
  allow(nodeId: string, byteLength: number, nowMs: number): boolean {
    const record = this.#record(nodeId, nowMs)
    const { rate, bytes } = this.#rules
    const passedS = Math.max(0, nowMs - record.refilledAtMs) / 1000
    record.messages = Math.min(rate.burst, record.messages + passedS * rate.perSecond)
    record.bytes = Math.min(bytes.burst, record.bytes + passedS * bytes.perSecond)
    record.refilledAtMs = Math.max(nowMs, record.refilledAtMs)
    if (record.messages < 1 || record.bytes < byteLength) return false
    record.messages -= 1
    record.bytes -= byteLength
    return true
  }

  /** @returns whether the node is banned now */
  fault(nodeId: string, fault: Fault, nowMs: number): boolean {
    const record = this.#record(nodeId, nowMs)
    record.points = this.#pointsAt(record, nowMs) + FAULT_WEIGHT[fault]
    record.atMs = nowMs
    if (record.points < this.#rules.banAtPoints) return this.isBanned(nodeId, nowMs)
    const lastsMs = Math.min(this.#rules.banMaxMs, this.#rules.banMs * 2 ** Math.min(record.bans, 16))
    record.bannedUntilMs = nowMs + lastsMs
    record.bans++
    // The ban is the answer to these points.
    record.points = 0
    return true
  }

  isBanned(nodeId: string, nowMs: number): boolean {
    return (this.#nodes.get(nodeId)?.bannedUntilMs ?? 0) > nowMs
  }

  /** 0: nothing against it; −100: as bad as a ban. */
  score(nodeId: string, nowMs: number): number {
    if (this.isBanned(nodeId, nowMs)) return -this.#rules.banAtPoints
    const record = this.#nodes.get(nodeId)
    return record ? -this.#pointsAt(record, nowMs) : 0
  }

  banned(nowMs: number): { nodeId: string; untilMs: number }[] {
    return [...this.#nodes]
      .filter(([, { bannedUntilMs }]) => bannedUntilMs > nowMs)
      .map(([nodeId, { bannedUntilMs }]) => ({ nodeId, untilMs: bannedUntilMs }))
  }

  save(): SavedConduct {
    return [...this.#nodes]
      .filter(([, { points, bans }]) => points > 0 || bans > 0)
      .map(([nodeId, { points, atMs, bans, bannedUntilMs }]) => [
        nodeId,
        { points, atMs, bans, bannedUntilMs },
      ])
  }

  #pointsAt({ points, atMs }: Record, nowMs: number): number {
    return points * 0.5 ** (Math.max(0, nowMs - atMs) / this.#rules.halfLifeMs)
  }

  #fresh(nowMs: number): Record {
    const { rate, bytes } = this.#rules
    const full = { messages: rate.burst, bytes: bytes.burst, refilledAtMs: nowMs }
    return { points: 0, atMs: nowMs, bans: 0, bannedUntilMs: 0, ...full }
  }

  #record(nodeId: string, nowMs: number): Record {
    const record = this.#nodes.get(nodeId) ?? this.#fresh(nowMs)
    this.#nodes.delete(nodeId)
    this.#nodes.set(nodeId, record)
    if (this.#nodes.size > this.#rules.nodesMax) this.#forgetOne(nowMs)
    return record
  }

  /** The longest unseen that is not banned: a ban is not got rid of by making many keys. */
  #forgetOne(nowMs: number): void {
    for (const [nodeId, { bannedUntilMs }] of this.#nodes) {
      if (bannedUntilMs > nowMs) continue
      this.#nodes.delete(nodeId)
      return
    }
    const [longest] = this.#nodes.keys()
    if (longest !== undefined) this.#nodes.delete(longest)
  }
}
