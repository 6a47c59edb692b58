import { join } from 'node:path'
import type {
  ConsoleView,
  DepthMap,
  DepthQuery,
  MoneyView,
  OwnerChange,
  OwnerValues,
  SentinelView,
  TelemetryCheck,
  TelemetryCsvPart,
  TelemetryCsvQuery,
  TelemetryKind,
  TelemetryPage,
  TelemetryQuery,
} from '../../src-preload/contract/index.ts'
import {
  applyToSentinel,
  applyToThermostat,
  assertNotRed,
  bookEnergy,
  bookTrade,
  type CostEvent,
  type DepthSettings,
  decideBounds,
  decideDepth,
  decideJob,
  decideResume,
  decideReview,
  EarningEvent,
  energyCost,
  fullDepth,
  INITIAL_SENTINEL,
  INITIAL_THERMOSTAT,
  type JobEvent,
  type MoneyBook,
  type MoneyTrade,
  moneyView,
  ownerFields,
  type SentinelState,
  sentinelView,
  settingsOf,
  type ThermostatBounds,
  type ThermostatState,
  thermostatView,
  trmValue,
  type UnpaidEvent,
} from '../earning/index.ts'
import type { Energy } from '../hardware/index.ts'
import { type Clock, readClockMs, TiramiError } from '../kernel/index.ts'
import type { JournalEvent, Ledger } from '../ledger/index.ts'
import {
  createDepthIndex,
  openTelemetry,
  queryTelemetry,
  type TelemetryFilter,
  type TelemetryPayload,
  type TelemetryStatus,
  telemetryCsv,
  telemetryCsvPart,
  verifyTelemetry,
} from '../telemetry/index.ts'
import { type OwnerFileEvent, type OwnerSource, openOwnerFile } from './stewardship-file.ts'

/** Sentinel and thermostat as the journal tells them: created before the ledger replays. */
export interface EarningRules {
  observe(event: JournalEvent): void
  trade(trade: MoneyTrade): void
  save(): SavedEarning
  /** Instead of observing what led to `saved`. */
  restore(saved: SavedEarning): void
  state(): EarningState
  /** What was earned and what it cost. */
  money(): MoneyBook
}

export interface SavedEarning extends EarningState {
  money: MoneyBook
}

export interface EarningState {
  sentinel: SentinelState
  thermostat: ThermostatState
}

export function createEarningRules(): EarningRules {
  let state: EarningState = { sentinel: INITIAL_SENTINEL, thermostat: INITIAL_THERMOSTAT }
  let money: MoneyBook = new Map()
  return {
    observe: (event) => {
      if (!event.kind.startsWith('earning.')) return
      const parsed = EarningEvent.parse(event)
      state = {
        sentinel: applyToSentinel(state.sentinel, parsed),
        thermostat: applyToThermostat(state.thermostat, parsed),
      }
      bookEnergy(money, parsed)
    },
    trade: (trade) => bookTrade(money, trade),
    save: () => ({ ...state, money }),
    restore: (saved) => {
      state = { sentinel: saved.sentinel, thermostat: saved.thermostat }
      money = saved.money
    },
    state: () => state,
    money: () => money,
  }
}

/** How one job went. A caller who leaves or whose budget is spent is no failure of the host: do not report those. */
export interface JobReport {
  latencyMs: number
  amountTrm: bigint
  flop: bigint
  /**
   * Null: not known, so neither cost nor return is computed from this job. `pending`: `energyKnown` follows. `unpaid`: it
   * failed, and what it drew comes with `unpaidEnergy`.
   */
  energyJ: number | null | 'pending' | 'unpaid'
  energySource?: 'measured' | 'declared'
  /** Network calls of the recursive model; 1 for a language model's answer. */
  depth: number
  /** It ran at the thermostat's depth, so that the thermostat learns from it. The default is true. */
  followsThermostat?: boolean
  ok: boolean
  /** The owner's own use is no income. */
  ownKey: boolean
  model?: string
  /** 64 hex digits; needed where the energy is pending. */
  tradeId?: string
}

/** Sentinel, thermostat, owner's values and telemetry in force. */
export interface Stewardship {
  /** Before any work, on every path that spends. @throws TiramiError HOST_PAUSED, SENTINEL_RED, CLOCK_UNREADABLE (503) */
  assertMayServe(): void
  /** After it, whether it succeeded or not. Never throws. */
  jobDone(report: JobReport): void
  /** The energy of a job that was reported as pending. Others' are ignored. Never throws. */
  energyKnown(tradeId: string, energy: Energy): void
  /** What work without a trade drew: electricity, and no job. Never throws. */
  unpaidEnergy(energy: Energy, ownKey: boolean): void
  /** Earnings, electricity and return. */
  money(power: MoneyView['power']): MoneyView
  /** How deep to think now, within the sentinel's bounds. */
  depth(): DepthSettings
  values(): OwnerValues
  console(): ConsoleView
  sentinel(): SentinelView
  /** All changes or none; in the file when it returns. @throws TiramiError OWNER_… */
  set(changes: readonly OwnerChange[], source: OwnerSource): void
  setPaused(paused: boolean, source: OwnerSource): void
  /** @throws TiramiError SENTINEL_STILL_RED (409) */
  resumeSentinel(source: OwnerSource): Promise<void>
  /** For what happens elsewhere: inferences, simulations, Ethereum logs. @throws TiramiError TELEMETRY_EVENT_INVALID */
  record<Kind extends TelemetryKind>(kind: Kind, payload: TelemetryPayload<Kind>): void
  queryTelemetry(query: TelemetryQuery): Promise<TelemetryPage>
  /** Lines of CSV, header first. */
  telemetryCsv(filter: TelemetryFilter): AsyncGenerator<string>
  /** The same in parts. */
  telemetryCsvPart(query: TelemetryCsvQuery): Promise<TelemetryCsvPart>
  /** Checks the whole chain. */
  verifyTelemetry(): Promise<TelemetryCheck>
  /** How deep the recursive model thought, over time. */
  depthMap(query: DepthQuery): Promise<DepthMap>
  telemetryStatus(): TelemetryStatus
  /** Fires when the owner pauses or resumes by any way, an editor included. */
  onPaused(listener: (paused: boolean) => void): void
  /** Fires when what the owner sees changes. */
  onChange(listener: () => void): void
  close(): Promise<void>
}

export interface StewardshipOptions {
  dataDirectory: string
  ledger: Pick<Ledger, 'post'>
  rules: EarningRules
  clock: Clock
  /** For a host that has no `owner.yaml` yet. */
  initial?: readonly OwnerChange[]
}

/** How often the file is looked at while no request comes. */
const FILE_LOOK_MS = 2_000
/** Days go by on a host without events, too. */
const TIDY_MS = 3_600_000
const GIB = 2 ** 30
/** What is reported beyond this is a defect, not a job. */
const FIGURE_MAX = 1e15
/** Jobs whose energy may be awaited at once. */
const PENDING_MAX = 1_000
const UNKNOWN_ENERGY: Energy = { label: 'unknown', energyJ: null }
const TRADE_ID = /^[0-9a-f]{64}$/
/** Ids that programs give; a path may tell who the owner is. */
const MODEL_ID = /^[\w.:@+-][\w.:/@+-]{0,127}$/

/** Opens the owner's file and the telemetry, and puts sentinel and thermostat in force over `rules`. */
export async function openStewardship(options: StewardshipOptions): Promise<Stewardship> {
  const { dataDirectory, ledger, rules, clock, initial } = options
  const fileEvents: OwnerFileEvent[] = []
  let handleFileEvent = (event: OwnerFileEvent): void => void fileEvents.push(event)
  const file = openOwnerFile({
    directory: dataDirectory,
    ...(initial ? { initial } : {}),
    onEvent: (event) => handleFileEvent(event),
  })
  const telemetry = await openTelemetry({
    directory: join(dataDirectory, 'telemetry'),
    clock,
    limits: () => {
      const { max_file_bytes, max_total_gib, keep_days } = file.values().telemetry
      const maxTotalBytes = max_total_gib === null ? null : max_total_gib * GIB
      return { maxFileBytes: max_file_bytes, maxTotalBytes, keepDays: keep_days }
    },
  })
  const depthIndex = createDepthIndex(telemetry.directory)
  const changes = new EventTarget()
  const pauses = new EventTarget()
  const pending = new Map<string, JobEvent & { trm: bigint }>()
  let announced = viewOf()

  /** With an unreadable clock what the owner sees stands still; work is refused meanwhile. */
  function nowMs(): number {
    try {
      return readClockMs(clock)
    } catch {
      return rules.state().sentinel.atMs
    }
  }
  function bounds(): ThermostatBounds {
    const { thermostat, sentinel } = file.values()
    return { limits: thermostat, maxCycles: sentinel.max_cycles, maxLatencyMs: sentinel.max_latency_ms }
  }
  function viewOf(): SentinelView {
    const { sentinel, prices } = file.values()
    return sentinelView(rules.state().sentinel, sentinel, prices.currency, nowMs())
  }
  /** The ledger calls `observe` before `post` returns. A journal that fails stops all selling by itself. */
  async function post(events: EarningEvent[]): Promise<void> {
    if (events.length > 0) await ledger.post(events)
  }
  function note(events: EarningEvent[]): void {
    post(events).catch(() => undefined)
    for (const event of events) if (event.kind === 'earning.adjusted') recordDepth(event)
  }
  function recordDepth({
    settings,
    sentence,
    code,
    params,
  }: Extract<EarningEvent, { kind: 'earning.adjusted' }>): void {
    telemetry.record('ThermostatUpdate', {
      roi: viewOf().roi.net,
      inner_cycles: settings.innerCycles,
      outer_steps: settings.outerSteps,
      halt_threshold: settings.haltThreshold,
      concurrency: settings.concurrency,
      sentence,
      code: code ?? null,
      params: params ?? {},
    })
    changed()
  }
  function changed(): void {
    changes.dispatchEvent(new Event('change'))
  }
  function announceSentinel(): void {
    const view = viewOf()
    const red = rules.state().sentinel.pause !== null
    if (view.level === announced.level && view.reason === announced.reason) return
    const isNews = view.level !== announced.level || red
    announced = view
    if (!isNews) return
    telemetry.record('SentinelStatus', {
      level: view.level,
      healthy: view.level === 'green',
      paused: red,
      reason: view.level === 'green' ? null : view.reason,
      code: view.code,
      params: view.params,
      roi: view.roi.net,
      total_cost: view.costToday,
    })
    changed()
  }
  /** What the owner's new limits make of what has happened so far. */
  function review(): void {
    note(decideReview(rules.state().sentinel, file.values().sentinel, nowMs()))
    note(decideBounds(rules.state().thermostat, bounds(), nowMs()))
    announceSentinel()
  }
  handleFileEvent = (event) => {
    if (event.type === 'refused') {
      recordOwner({ action: 'file-refused', source: 'file', line: event.problem.line })
    } else {
      for (const { key, old, new: next } of event.differences) {
        recordOwner({ action: 'set', source: event.source, key, old, new: next })
      }
      review()
      if (event.differences.some(({ key }) => key.startsWith('telemetry.'))) telemetry.tidy()
      if (event.differences.some(({ key }) => key === 'serving.paused'))
        pauses.dispatchEvent(new Event('change'))
    }
    changed()
  }
  function recordOwner(
    action: Pick<TelemetryPayload<'OwnerAction'>, 'action' | 'source'> &
      Partial<TelemetryPayload<'OwnerAction'>>,
  ): void {
    telemetry.record('OwnerAction', { key: null, old: null, new: null, line: null, ...action })
  }

  function judge(event: JobEvent | CostEvent | UnpaidEvent): void {
    const { sentinel, serving } = file.values()
    note(decideJob(rules.state().sentinel, event, sentinel))
    const forced = serving.force_full_depth
    note(decideDepth(rules.state().thermostat, bounds(), { nowMs: nowMs(), forced }))
    announceSentinel()
  }
  function settleCost(tradeId: string, { label, energyJ }: Energy): void {
    const job = pending.get(tradeId)
    if (!job) return
    pending.delete(tradeId)
    const { ok, ownKey, forced, trm } = job
    const { prices } = file.values()
    const known = energyJ !== null && isAmount(energyJ) ? energyJ : null
    const cost = energyCost(known, prices.per_kwh)
    const source = known === null || label === 'unknown' ? null : label
    const value = worthOf(trm, prices.per_trm)
    telemetry.record('JobEnergy', { trade_id: tradeId, energy_j: known, energy_source: source, cost })
    judge({
      kind: 'earning.cost',
      atMs: nowMs(),
      ok,
      ownKey,
      forced,
      value,
      cost,
      energyJ: known,
      energySource: source,
      amountTrm: String(trm),
    })
  }
  function settleUnpaid({ label, energyJ }: Energy, ownKey: boolean): void {
    if (label === 'unknown' || energyJ === null || !isAmount(energyJ)) return
    const cost = energyCost(energyJ, file.values().prices.per_kwh)
    judge({ kind: 'earning.unpaid', atMs: nowMs(), ownKey, energyJ, energySource: label, cost })
  }

  for (const event of fileEvents) handleFileEvent(event)
  review()
  const timer = setInterval(() => file.refresh(), FILE_LOOK_MS)
  const tidying = setInterval(telemetry.tidy, TIDY_MS)
  for (const each of [timer, tidying]) each.unref()

  return {
    assertMayServe: () => {
      file.refresh()
      readClockMs(clock)
      if (file.values().serving.paused) throw paused()
      assertNotRed(rules.state().sentinel)
    },
    jobDone: (report) => {
      const values = file.values()
      const job = jobEvent(report, values, nowMs())
      if (job.pending && report.energyJ === 'pending' && report.tradeId !== undefined) {
        pending.set(report.tradeId, { ...job, trm: report.amountTrm })
        const [oldest] = pending.keys()
        if (pending.size > PENDING_MAX && oldest !== undefined) settleCost(oldest, UNKNOWN_ENERGY)
      }
      telemetry.record('JobServed', jobPayload(job, report))
      judge(job)
    },
    energyKnown: (tradeId, energy) => settleCost(tradeId, energy),
    unpaidEnergy: (energy, ownKey) => settleUnpaid(energy, ownKey),
    money: (power) => {
      const values = file.values()
      return moneyView({ book: rules.money(), values, roi: viewOf().roi, power, nowMs: nowMs() })
    },
    depth: () => {
      const { serving } = file.values()
      return serving.force_full_depth ? fullDepth(bounds()) : settingsOf(rules.state().thermostat, bounds())
    },
    values: () => file.values(),
    console: () => {
      file.refresh()
      const values = file.values()
      return {
        values,
        fields: ownerFields(values),
        problem: file.problem(),
        thermostat: thermostatView(rules.state().thermostat, bounds(), values.serving.force_full_depth),
      }
    },
    sentinel: viewOf,
    set: (wanted, source) => file.edit(wanted, source),
    setPaused: (isPaused, source) => file.edit([{ key: 'serving.paused', value: isPaused }], source),
    resumeSentinel: async (source) => {
      const events = decideResume(rules.state().sentinel, file.values().sentinel, nowMs())
      if (events.length === 0) return
      await post(events)
      recordOwner({ action: 'sentinel-resumed', source })
      announceSentinel()
    },
    record: (kind, payload) => telemetry.record(kind, payload),
    queryTelemetry: async (query) => {
      await telemetry.flush()
      return queryTelemetry(telemetry.directory, query)
    },
    telemetryCsv: async function* (filter) {
      await telemetry.flush()
      yield* telemetryCsv(telemetry.directory, filter)
    },
    telemetryCsvPart: async (query) => {
      await telemetry.flush()
      return telemetryCsvPart(telemetry.directory, query)
    },
    verifyTelemetry: async () => {
      await telemetry.flush()
      const { tornBytes: _, ...report } = await verifyTelemetry(telemetry.directory)
      const { writable, lost } = telemetry.status()
      return { ...report, writable, lost, checkedAtMs: nowMs() }
    },
    depthMap: async (query) => {
      await telemetry.flush()
      return depthIndex.map(query)
    },
    telemetryStatus: () => telemetry.status(),
    onPaused: (listener) => pauses.addEventListener('change', () => listener(file.values().serving.paused)),
    onChange: (listener) => changes.addEventListener('change', listener),
    close: async () => {
      clearInterval(timer)
      clearInterval(tidying)
      await telemetry.close()
    },
  }
}

function jobEvent(report: JobReport, { prices, serving }: OwnerValues, atMs: number): JobEvent {
  const { latencyMs, depth, amountTrm, flop, ok, ownKey } = report
  const isPending = report.energyJ === 'pending' || report.energyJ === 'unpaid'
  const energyJ = typeof report.energyJ === 'number' ? report.energyJ : null
  const valid =
    isAmount(latencyMs) &&
    Number.isSafeInteger(depth) &&
    depth >= 0 &&
    (energyJ === null || isAmount(energyJ)) &&
    isWhole(amountTrm) &&
    isWhole(flop) &&
    (report.energyJ !== 'pending' || TRADE_ID.test(report.tradeId ?? ''))
  const cost = valid ? energyCost(energyJ, prices.per_kwh) : null
  const value = valid ? worthOf(amountTrm, prices.per_trm) : null
  return {
    kind: 'earning.job',
    atMs,
    ok,
    valid,
    latencyMs: valid ? latencyMs : 0,
    cycles: valid ? depth : 0,
    ownKey,
    pending: valid && isPending,
    value,
    cost,
    energyJ: valid ? energyJ : null,
    energySource: valid && energyJ !== null ? (report.energySource ?? 'declared') : null,
    amountTrm: valid ? String(amountTrm) : '0',
    forced: serving.force_full_depth || report.followsThermostat === false,
  }
}

const isAmount = (figure: number): boolean => figure >= 0 && figure <= FIGURE_MAX

function worthOf(amountTrm: bigint, perTrm: number | null): number | null {
  const value = trmValue(amountTrm, perTrm)
  return value === null ? null : Math.min(value, FIGURE_MAX)
}

const isWhole = (amount: bigint): boolean => amount >= 0n && amount < 10n ** 40n

function jobPayload(job: JobEvent, report: JobReport): TelemetryPayload<'JobServed'> {
  const { model, flop, amountTrm, tradeId } = report
  const energyJ = job.energyJ ?? null
  return {
    trade_id: tradeId !== undefined && TRADE_ID.test(tradeId) ? tradeId : null,
    model: model !== undefined && MODEL_ID.test(model) ? model : null,
    ok: job.ok,
    own_key: job.ownKey,
    latency_ms: job.latencyMs,
    depth: job.cycles,
    flop: job.valid ? String(flop) : '0',
    amount_trm: job.valid ? String(amountTrm) : '0',
    energy_j: energyJ,
    energy_source: job.energySource,
    value: job.value,
    cost: job.cost,
  }
}

function paused(): TiramiError {
  return new TiramiError('HOST_PAUSED', 'The owner has paused this host.', {
    nextStep: 'Resume it in the window, or ask again later.',
    httpStatus: 503,
  })
}
