import { z } from 'zod'
import { hexFromBytes, type KeyPair, sha256, type Timers, utf8 } from '../kernel/index.ts'
import {
  type Channel,
  CONDUCT_RULES,
  Conduct,
  type Envelope,
  type Fault,
  type Net,
  readBody,
  sealEnvelope,
  type Verdict,
} from '../mesh/index.ts'
import { Reader } from './reader.ts'
import { plain } from './work-messages.ts'

/** What somebody says about the market, to be believed by its own signatures, whoever hands it on. */
export interface Statement {
  kind: string
  /** What it is about: of two with the same key the one with the higher version counts, of equal ones the first. */
  key: string
  version: number
  /** Whose word it is: everybody's are bounded. */
  author: string
  /** Then it is forgotten here. */
  keptUntilMs: number
  /** As it travels. */
  json: object
}

export interface StatementRules {
  /** By its shape alone. `unknown`: of a kind that this version does not know; null: malformed. */
  describe(json: unknown): Statement | 'unknown' | null
  /** By its signatures and what it says of itself. Never throws. */
  isSound(statement: Statement): boolean
  /** It is new and sound. Never throws. */
  take(statement: Statement): void
}

export interface GossipPorts extends StatementRules {
  net: Net
  key: KeyPair
  timers: Timers
  nowMs(): number
  nextSeq(): number
  /** Rate, ban, version and signature of a message to everybody; a verdict where it is not to be looked into. */
  open(message: Uint8Array, from: string): Envelope | Verdict
  /** Counts once: the window outlives restarts. */
  isFresh(envelope: Envelope): boolean
  admits(from: string, bytes: number): boolean
  fault(nodeId: string, fault: Fault): void
}

const STATEMENTS = 'statements'
const SYNC_PROTOCOL = 'statements/1'

/** Of one kind, and of one author within it. */
const HELD_PER_KIND = 4_096
const HELD_PER_AUTHOR = 128
const STATEMENT_BYTES_MAX = 28 * 1024
const HAVE_MAX = 8_192
const PAGE_BYTES = 256 * 1024
const PAGE_STATEMENTS_MAX = 256
const SYNC_PAGES_MAX = 64
const ANSWER_WITHIN_MS = 10_000
/** Beats between two comparisons with a neighbour. */
const SYNC_EVERY_BEATS = 6
/** New statements of one author: what it says more often is passed over. */
const AUTHOR_RULES = { ...CONDUCT_RULES, rate: { perSecond: 0.5, burst: HELD_PER_AUTHOR } }

const Told = z.strictObject({ kind: z.literal('statement'), statement: z.unknown() })
const Digest = z.string().regex(/^[0-9a-f]{32}$/)
const Ask = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('root'), rootHex: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.strictObject({ kind: z.literal('have'), digests: z.array(Digest).max(HAVE_MAX) }),
])
const Answer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('same') }),
  z.strictObject({ kind: z.literal('differs') }),
  z.strictObject({ kind: z.literal('page'), statements: z.array(z.unknown()).max(PAGE_STATEMENTS_MAX) }),
])

interface Held extends Statement {
  digest: string
  bytes: number
}

type Heard = 'new' | 'known' | 'unsound' | 'unknown' | 'refused'

/** Statements that are at hand: a set that grows by merging, the same whatever came first. */
export class Statements {
  readonly #rules: StatementRules
  /** Longest known first. */
  readonly #held = new Map<string, Held>()
  readonly #perKind = new Map<string, number>()
  readonly #perAuthor = new Map<string, number>()
  readonly #authors = new Conduct([], AUTHOR_RULES)
  #rootHex: string | null = null

  constructor(rules: StatementRules) {
    this.#rules = rules
  }

  hear(json: unknown, nowMs: number): Heard {
    const statement = this.#rules.describe(json)
    if (statement === 'unknown') return 'unknown'
    const text = statement && JSON.stringify(statement.json)
    if (!statement || !text || text.length > STATEMENT_BYTES_MAX) return 'unsound'
    const known = this.#held.get(statement.key)
    if (known && known.version >= statement.version) return 'known'
    if (statement.keptUntilMs <= nowMs) return 'refused'
    const author = `${statement.kind}:${statement.author}`
    if (!known && (this.#perAuthor.get(author) ?? 0) >= HELD_PER_AUTHOR) return 'refused'
    if (!this.#authors.allow(author, 0, nowMs)) return 'refused'
    // The dearest last: nothing is verified that would not be kept.
    if (!this.#rules.isSound(statement)) return 'unsound'
    if (known) this.#drop(known)
    this.#keep(statement, text)
    this.#rules.take(statement)
    return 'new'
  }

  get size(): number {
    return this.#held.size
  }

  get(key: string): Statement | undefined {
    return this.#held.get(key)
  }

  /** Longest known first. */
  of(kind: string): Statement[] {
    return [...this.#held.values()].filter((held) => held.kind === kind)
  }

  /** The same for everybody who holds the same. */
  rootHex(): string {
    this.#rootHex ??= hexFromBytes(sha256(utf8(this.digests().sort().join())))
    return this.#rootHex
  }

  digests(): string[] {
    return [...this.#held.values()].map(({ digest }) => digest)
  }

  /** Whatever is not among `digests`, in pages. */
  *missing(digests: readonly string[]): Generator<object[]> {
    const theirs = new Set(digests)
    let [page, bytes]: [object[], number] = [[], 0]
    for (const held of this.#held.values()) {
      if (theirs.has(held.digest)) continue
      if (bytes + held.bytes > PAGE_BYTES || page.length === PAGE_STATEMENTS_MAX) {
        yield page
        ;[page, bytes] = [[], 0]
      }
      page.push(held.json)
      bytes += held.bytes
    }
    if (page.length > 0) yield page
  }

  expire(nowMs: number): void {
    for (const held of [...this.#held.values()]) if (held.keptUntilMs <= nowMs) this.#drop(held)
  }

  #keep(statement: Statement, text: string): void {
    const { key, version, kind, author } = statement
    const digest = hexFromBytes(sha256(utf8(`${version}:${key}`)).subarray(0, 16))
    this.#held.set(key, { ...statement, digest, bytes: text.length })
    this.#count(kind, author, 1)
    if ((this.#perKind.get(kind) ?? 0) <= HELD_PER_KIND) return
    const [oldest] = this.of(kind)
    if (oldest) this.#drop(oldest)
  }

  #drop({ key, kind, author }: Statement): void {
    if (this.#held.delete(key)) this.#count(kind, author, -1)
  }

  #count(kind: string, author: string, change: number): void {
    this.#rootHex = null
    for (const [counts, name] of [
      [this.#perKind, kind],
      [this.#perAuthor, `${kind}:${author}`],
    ] as const) {
      const count = (counts.get(name) ?? 0) + change
      if (count > 0) counts.set(name, count)
      else counts.delete(name)
    }
  }
}

/** Statements on their way: to everybody at once, and to whoever was away by comparing sets. */
export class Gossip {
  readonly #ports: GossipPorts
  readonly #statements: Statements
  readonly #syncing = new Set<string>()
  #beats = 0
  #closed = false

  constructor(ports: GossipPorts) {
    this.#ports = ports
    this.#statements = new Statements(ports)
    ports.net.subscribe(STATEMENTS, (message, from) => this.#hear(message, from))
    ports.net.handle(SYNC_PROTOCOL, (channel) => this.#compare(channel))
  }

  get statements(): Pick<Statements, 'size' | 'get' | 'of'> {
    return this.#statements
  }

  /** Says it to everybody, unless that was said already. */
  tell(json: object): void {
    if (this.#closed || this.#statements.hear(json, this.#ports.nowMs()) !== 'new') return
    const { key, net, nextSeq } = this.#ports
    void net.publish(STATEMENTS, sealEnvelope(key, nextSeq(), { kind: 'statement', statement: json }))
  }

  /** Something is at hand again that others may have missed: held, and told to whoever compares. */
  recall(json: object): void {
    this.#statements.hear(json, this.#ports.nowMs())
  }

  /** Compares with a neighbour in turn: what was lost on the way is not lost for good. */
  beat(): void {
    this.#statements.expire(this.#ports.nowMs())
    const peers = this.#ports.net.peers()
    const turn = this.#beats++
    if (turn % SYNC_EVERY_BEATS !== 0 || peers.length === 0) return
    const peer = peers.sort()[Math.floor(turn / SYNC_EVERY_BEATS) % peers.length]
    if (peer !== undefined) void this.sync(peer)
  }

  close(): void {
    this.#closed = true
  }

  /** Fetches what the other host holds and this one does not. */
  async sync(nodeId: string): Promise<void> {
    if (this.#closed || this.#syncing.has(nodeId)) return
    this.#syncing.add(nodeId)
    try {
      const channel = await this.#ports.net.open(nodeId, SYNC_PROTOCOL)
      try {
        await this.#fetch(channel)
      } finally {
        await channel.close().catch(() => undefined)
      }
    } catch {
      // It went away; another comparison comes.
    } finally {
      this.#syncing.delete(nodeId)
    }
  }

  async #fetch(channel: Channel): Promise<void> {
    const reader = new Reader(channel, this.#ports.timers)
    await channel.send(plain({ kind: 'root', rootHex: this.#statements.rootHex() }))
    const answer = readAnswer(await reader.next(ANSWER_WITHIN_MS))
    if (answer?.kind !== 'differs') return
    await channel.send(plain({ kind: 'have', digests: this.#statements.digests().slice(-HAVE_MAX) }))
    for (let pages = 0; pages < SYNC_PAGES_MAX && !this.#closed; pages++) {
      const bytes = await reader.next(ANSWER_WITHIN_MS)
      if (bytes === null) return
      const page = readAnswer(bytes)
      if (page?.kind !== 'page') return this.#ports.fault(channel.peer, 'malformed')
      for (const json of page.statements) {
        if (this.#statements.hear(json, this.#ports.nowMs()) !== 'unsound') continue
        // Whoever hands it on has to have checked it.
        return this.#ports.fault(channel.peer, 'forged')
      }
    }
  }

  async #compare(channel: Channel): Promise<void> {
    const reader = new Reader(channel, this.#ports.timers)
    for (;;) {
      const bytes = await reader.next(ANSWER_WITHIN_MS)
      if (bytes === null) break
      if (this.#closed || !this.#ports.admits(channel.peer, bytes.length)) return channel.abort()
      const ask = readBody(Ask, bytes)
      if (!ask) {
        this.#ports.fault(channel.peer, 'malformed')
        return channel.abort()
      }
      if (ask.kind === 'root') {
        const kind = ask.rootHex === this.#statements.rootHex() ? 'same' : 'differs'
        await channel.send(plain({ kind }))
        continue
      }
      for (const statements of this.#statements.missing(ask.digests)) {
        await channel.send(plain({ kind: 'page', statements }))
      }
      break
    }
    await channel.close()
  }

  #hear(message: Uint8Array, from: string): Verdict {
    const envelope = this.#ports.open(message, from)
    if (typeof envelope === 'string') return envelope
    const told = readBody(Told, envelope.body)
    if (!told) {
      this.#ports.fault(envelope.origin, 'malformed')
      return 'reject'
    }
    if (!this.#ports.isFresh(envelope)) return 'ignore'
    const heard = this.#statements.hear(told.statement, this.#ports.nowMs())
    if (heard === 'unsound') this.#ports.fault(envelope.origin, 'forged')
    return heard === 'new' ? 'accept' : heard === 'unsound' ? 'reject' : 'ignore'
  }
}

const readAnswer = (bytes: Uint8Array | null) => bytes && readBody(Answer, bytes)
