import type { Consumer } from '../src-main/host/keys.ts'
import { hexFromBytes, type KeyPair, sha256, TiramiError, utf8 } from '../src-main/kernel/index.ts'
import { memoryStorage } from '../src-main/ledger/index.ts'
import { type Books, copyOf, openBooks, type Site, stateDigest, verifyDisk } from './books.ts'
import { BrokenLaw, law, short } from './broken.ts'
import { keyNumber } from './keys.ts'
import { SeededRandom, VirtualClock } from './random.ts'
import { DAY, HOUR, ShadowBook } from './shadow-book.ts'
import { CAP_TRM, ShadowRules } from './shadow-rules.ts'

/** Honest nodes, and those who live by one trick. */
export type Class = 'honest' | 'ring' | 'wash' | 'defaulter' | 'sybil' | 'gamer'

export interface Node {
  name: string
  id: string
  key: KeyPair
  class: Class
  /** How far below zero it may go without a welcome loan. */
  creditTrm: bigint
  /** Network of origin. */
  bucket: string
  /** The host's token of a guest. */
  token: string | null
}

export interface WorldSize {
  nodes: number
  days: number
  steps: number
}

export interface Tally {
  steps: number
  trades: number
  attacksTried: number
  attacksRefused: number
  restarts: number
  /** Attempts, by name. */
  attacks: Map<string, number>
  /** What lawful commands came to, by command and outcome: a rule that never fires is not tested. */
  outcomes: Map<string, number>
}

const START_MS = Date.UTC(2026, 0, 1)
const FULL_COMPARISON_EVERY = 8
const CLASS_SHARES: readonly (readonly [number, Class])[] = [
  [14, 'honest'],
  [2, 'ring'],
  [1, 'wash'],
  [1, 'defaulter'],
  [2, 'gamer'],
]

/** Most worlds are quick, some are months of hundreds of nodes. */
export function drawSize(rng: SeededRandom): WorldSize {
  const [nodes, days, steps] = rng.weighted([
    [90, [rng.integer(12, 40), rng.integer(7, 30), rng.integer(80, 240)] as const],
    [8, [rng.integer(40, 120), rng.integer(20, 60), rng.integer(300, 800)] as const],
    [2, [rng.integer(150, 400), rng.integer(60, 150), rng.integer(1_500, 3_000)] as const],
  ])
  return { nodes, days, steps }
}

/** One market: its nodes, the real books of its host, and the shadow book that judges them. */
export class World {
  readonly seed: number
  readonly size: WorldSize
  readonly rng: SeededRandom
  readonly clock = new VirtualClock(START_MS)
  readonly host: KeyPair
  readonly owner: Consumer
  readonly nodes: Node[] = []
  readonly guests: Node[] = []
  readonly book = new ShadowBook()
  readonly rules: ShadowRules
  readonly site: Site
  readonly tally: Tally = {
    steps: 0,
    trades: 0,
    attacksTried: 0,
    attacksRefused: 0,
    restarts: 0,
    attacks: new Map(),
    outcomes: new Map(),
  }
  /** TRM that came into a class from outside, by trades. */
  readonly classNetTrm = new Map<Class, bigint>()
  readonly freeTierTrm: bigint
  readonly poolKey: KeyPair
  #books: Books | null = null
  /** The first law that was broken inside the code under test, which may have swallowed it. */
  #broken: unknown = null
  #suspects = new Set<string>()
  #sybils = 0
  #nonces = 0
  readonly trace: (line: string) => void

  constructor(seed: number, options: { size?: Partial<WorldSize>; trace?: (line: string) => void } = {}) {
    this.seed = seed
    this.trace = options.trace ?? (() => undefined)
    this.rng = new SeededRandom(`tirami world ${seed}`)
    this.size = { ...drawSize(this.rng), ...options.size }
    const keys = this.rng.shuffled(Array.from({ length: this.size.nodes + 3 }, (_, index) => index))
    const nextKey = () => keyNumber(keys.pop() ?? 0)
    this.host = nextKey()
    this.poolKey = nextKey()
    this.owner = { ...nextKey(), label: 'owner', ownKey: true, creditLimitTrm: 1_000_000n }
    this.freeTierTrm = BigInt(this.rng.pick([0, 200, 1_000, 1_000, 5_000, 40_000]))
    for (let index = 0; index < this.size.nodes; index++) this.#populate(index, nextKey())
    this.rules = new ShadowRules(this.book, {
      hostId: this.host.publicKeyHex,
      ownKeys: new Set([this.owner.publicKeyHex]),
      reputationOf: (node) => this.books.economy.reputation.of(node),
    })
    this.site = {
      clock: this.clock,
      rng: new SeededRandom(`tirami host ${seed}`),
      node: this.host,
      owner: this.owner,
      freeTierTrm: this.freeTierTrm,
      disk: memoryStorage(),
      snapshotEveryRecords: this.rng.pick([null, 20, 200, 2_000]),
      segmentMaxBytes: this.rng.pick([4_096, 65_536, 2 ** 26]),
    }
  }

  #populate(index: number, key: KeyPair): void {
    const of = this.rng.weighted(CLASS_SHARES)
    this.nodes.push({
      name: `${of}-${index}`,
      id: key.publicKeyHex,
      key,
      class: of,
      creditTrm: this.rng.chance(0.8) ? this.freeTierTrm : 0n,
      bucket: `10.${this.rng.integer(0, 5)}.0`,
      token: null,
    })
  }

  get books(): Books {
    if (!this.#books) throw new Error('the books are closed')
    return this.#books
  }

  async open(): Promise<void> {
    this.#books = await openBooks(this.site, (event) => {
      try {
        this.rules.hear(event)
      } catch (error) {
        this.#broken ??= error
      }
    })
  }

  /** Another age of the network, once: most of the supply exists, and the rules near the cap come into play. */
  async inherit(): Promise<void> {
    if (this.book.mintedTrm > CAP_TRM / 100n) return
    const leftTrm = this.rng.pick([60n, 4_000n, 1_000_000_000n, 9_000_000_000n])
    const treasury = hexFromBytes(sha256(utf8('treasury')))
    const amountTrm = CAP_TRM - this.book.mintedTrm - leftTrm
    const [debit, credit] = ['system:mint', `available:${treasury}`]
    const event = { kind: 'market.updated', supplyFactor: 1, demandFactor: 1, atMs: this.clock.ms }
    await this.books.ledger.post([event], [{ debit, credit, amountTrm, code: 'yield' }])
    this.rules.inherit(treasury, amountTrm)
  }

  async close(): Promise<void> {
    await this.books.ledger.close()
    this.#books = null
  }

  /** A node that nobody has seen before. */
  freshSybil(bucket: string): Node {
    const index = this.#sybils++
    const key = keyNumber(1_000 + (index % 400))
    const reused = index >= 400
    const id = reused ? hexFromBytes(sha256(utf8(`sybil ${this.seed} ${index}`))) : key.publicKeyHex
    return { name: `sybil-${index}`, id, key, class: 'sybil', creditTrm: 0n, bucket, token: null }
  }

  nonce(): Uint8Array {
    return sha256(utf8(`nonce ${this.seed} ${this.#nonces++}`)).slice(0, 16)
  }

  nameOf(id: string): string {
    if (id === this.host.publicKeyHex) return 'host'
    if (id === this.owner.publicKeyHex) return 'owner'
    return [...this.nodes, ...this.guests].find((node) => node.id === id)?.name ?? id.slice(0, 8)
  }

  /** Their accounts are compared at the end of this step, whether or not they should have moved. */
  suspect(...ids: readonly string[]): void {
    for (const id of ids) this.#suspects.add(id)
  }

  count(command: string, outcome: string): void {
    const key = `${command}: ${outcome}`
    this.tally.outcomes.set(key, (this.tally.outcomes.get(key) ?? 0) + 1)
    this.trace(`    ${key}`)
  }

  /**
   * A lawful command: it may succeed or be refused for one of these reasons.
   * @returns its value, or null when it was refused
   */
  async command<Value>(
    name: string,
    reasons: readonly string[],
    action: () => Promise<Value> | Value,
  ): Promise<Value | null> {
    try {
      const value = await action()
      this.count(name, 'done')
      return value
    } catch (error) {
      const code = this.codeOf(name, error)
      law(reasons.includes(code), `${name} was refused with ${code}`)
      this.count(name, code)
      return null
    }
  }

  /** @throws the error itself when it is not a refusal */
  codeOf(name: string, error: unknown): string {
    if (error instanceof BrokenLaw) throw error
    if (error instanceof TiramiError) return error.code
    const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    throw new BrokenLaw(`${name} failed with something that is no refusal (${problem})`, { cause: error })
  }

  /** Must be refused, with one of these codes, and leave everything as it was. */
  async attack(
    name: string,
    codes: readonly string[],
    action: () => Promise<unknown> | unknown,
    ...attackers: readonly string[]
  ): Promise<void> {
    const { rules, books, tally } = this
    const digest = this.rng.chance(1 / 16) ? stateDigest(books) : null
    const before = { ...books.folded(), trades: books.ledger.tradeCount() }
    const heard = rules.heard
    tally.attacksTried++
    tally.attacks.set(name, (tally.attacks.get(name) ?? 0) + 1)
    this.suspect(...attackers)
    let code: string
    try {
      await action()
      throw new BrokenLaw(`an attack was accepted: ${name}`)
    } catch (error) {
      code = this.codeOf(name, error)
    }
    law(codes.includes(code), `${name} was refused with ${code}`)
    tally.attacksRefused++
    this.trace(`    attack refused: ${name}: ${code}`)
    const after = books.folded()
    const unmoved =
      rules.heard === heard &&
      after.economy === before.economy &&
      after.governance === before.governance &&
      after.safety === before.safety &&
      after.access === before.access &&
      books.ledger.tradeCount() === before.trades &&
      (digest === null || stateDigest(books) === digest)
    law(unmoved, `a refused attack changed the state: ${name}`)
  }

  /** Laws that hold after every step. */
  checkStep(): void {
    if (this.#broken) throw this.#broken
    const accountTrm = (account: string) => this.books.ledger.accountTrm(account)
    const everything = this.tally.steps % FULL_COMPARISON_EVERY === 0
    for (const account of this.book.takeTouched()) this.book.compare(account, accountTrm)
    for (const id of this.#suspects) {
      for (const kind of ['available', 'staked', 'collateral']) this.book.compare(`${kind}:${id}`, accountTrm)
    }
    this.#suspects.clear()
    this.rules.assertPool()
    const mintTrm = -accountTrm('system:mint')
    law(mintTrm === this.book.mintedTrm && mintTrm <= CAP_TRM, `${mintTrm} TRM are minted`)
    if (everything) this.checkEverything()
  }

  checkEverything(): void {
    const accountTrm = (account: string) => this.books.ledger.accountTrm(account)
    const accounts = this.book.accounts()
    let sumTrm = 0n
    for (const account of accounts) {
      this.book.compare(account, accountTrm)
      sumTrm += accountTrm(account)
    }
    law(sumTrm === 0n, `all accounts add up to ${sumTrm} TRM`)
    const known = new Set(accounts.filter((account) => !account.startsWith('system:')).map(nodeOf))
    const { nodes } = this.books.ledger.network()
    law(nodes <= known.size, `the ledger knows ${nodes} nodes and the shadow book ${known.size}`)
    law(
      this.books.ledger.tradeCount() === this.book.trades,
      'the ledger counts other trades than were settled',
    )
  }

  /** The host ends and starts again from its disk. Whatever follows from the journal must be the same. */
  async restart(how: 'stopped' | 'killed' = this.rng.pick(['stopped', 'killed'])): Promise<void> {
    // Collusion reports may be a minute old; both sides are to look at the same moment.
    this.clock.ms += 60_001
    const before = stateDigest(this.books)
    const reputations = this.#reputations()
    if (how === 'stopped') {
      await this.close()
    } else {
      // What is under way in this turn still reaches the disk; holds that nobody waits for may not.
      await new Promise((resolve) => setImmediate(resolve))
      this.site.disk = await copyOf(this.site.disk)
      this.#books = null
    }
    await this.open()
    this.tally.restarts++
    law(
      stateDigest(this.books) === before,
      `the host was ${how}, and its state after the replay is not the one before`,
    )
    this.book.restarted()
    this.#reputations().forEach((reputation, index) => {
      const name = this.nodes[index]?.name
      law(reputation === reputations[index], `the reputation of ${name} changed with a restart`)
    })
    this.checkEverything()
  }

  #reputations(): number[] {
    return this.nodes.map(({ id }) => this.books.economy.reputation.of(id))
  }

  /** @throws BrokenLaw when the ledger on the disk does not verify */
  async verify(): Promise<void> {
    const problem = await verifyDisk(this.site.disk)
    law(problem === null, problem ?? '')
  }

  /** Day and hour since the beginning, for people. */
  time(): string {
    const passedMs = this.clock.ms - START_MS
    const hour = Math.floor((passedMs % DAY) / HOUR)
    return `day ${Math.floor(passedMs / DAY)}, ${String(hour).padStart(2, '0')} h`
  }

  describe(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error)
    return short(message.replace(/[0-9a-f]{64}/g, (id) => this.nameOf(id)))
  }
}

const nodeOf = (account: string) => account.slice(account.indexOf(':') + 1)
