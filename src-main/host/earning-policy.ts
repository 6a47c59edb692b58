import type {
  EarningDecision,
  EarningMode,
  EarningPolicy,
  EarningPolicyChange,
  EarningView,
  OwnerChange,
  SnoozeLength,
} from '../../src-preload/contract/index.ts'
import {
  decideEarning,
  type EarningSnapshot,
  INITIAL_POLICY_STATE,
  isOpen,
  limitsGpuTemperature,
  nextFlipMs,
  nextWallTimeMs,
  ownerChanges,
  type PolicyResult,
  type PolicyState,
  policyOf,
  type Reading,
  systemTimeZone,
  weekSpans,
} from '../earning/index.ts'
import type { EnvironmentWants, KeepAwake } from '../hardware/index.ts'
import type { Engine } from '../inference/index.ts'
import { type Clock, readClockMs, TiramiError } from '../kernel/index.ts'
import { notEarning } from './earning-refusal.ts'
import { sensorViews } from './earning-sensors.ts'
import { type EarningWord, openEarningWord } from './earning-state.ts'
import { inOrder } from './in-order.ts'
import { idle } from './power.ts'
import type { Stewardship } from './stewardship.ts'
import type { OwnerSource } from './stewardship-file.ts'

/** What is known of the machine; looked at by itself, never by a request. */
export interface Environment {
  /** As it was at the last look. */
  snapshot(): Omit<EarningSnapshot, 'profitPerKwh'>
  /** Looks at what is asked about. Never rejects, and ends within seconds. */
  look(wants: EnvironmentWants): Promise<void>
}

export interface EarningPorts {
  dataDirectory: string
  stewardship: Pick<Stewardship, 'values' | 'set' | 'setPaused' | 'onChange'>
  engine: Pick<Engine, 'start' | 'stop' | 'status' | 'jobs' | 'onChange'>
  environment: Environment
  profitPerKwh(): Reading<number>
  /** What the model takes, or would take, of the memory. */
  modelBytes(): number
  /** Of a host without the desktop app, which does it itself. */
  keepAwake?: Pick<KeepAwake, 'set' | 'problem'>
  clock: Clock
  /** IANA name of the system's zone. */
  timeZone?: () => string
}

/** A place that a job has been given. */
export interface Admission {
  /** Aborts, with the reason, when the job must make room. */
  signal: AbortSignal
  /** To be called once, at the job's end. */
  leave(): void
}

/** The owner's rules in force. Everything that pauses, snoozes or resumes goes through here. */
export interface Earning {
  view(): EarningView
  decision(): EarningDecision
  /** Before any work. @throws NotEarningError; what `engine.start` throws, for the owner's own use */
  admit(consumer: { ownKey: boolean }): Promise<Admission>
  /** Resolves when the memory is free. */
  pause(source: OwnerSource): Promise<void>
  /** Ends pause, snooze and finish. Resolves when the model is loaded, or at once where a rule keeps guests away. */
  resume(source: OwnerSource): Promise<void>
  setMode(mode: EarningMode, source: OwnerSource): void
  /** @throws TiramiError EARNING_PAUSED (409) */
  snooze(length: SnoozeLength): void
  wake(): void
  finish(): void
  /** @throws TiramiError OWNER_… */
  setPolicy(change: EarningPolicyChange, source: OwnerSource): void
  /** Looks at the machine, decides, and acts on it. */
  tick(): Promise<void>
  /** The first look and decision; from then on by itself. Resolves when the model is loaded, if it is to be. */
  start(): Promise<void>
  /** Fires when the decision, the rules or what they are made of changes. */
  onChange(listener: () => void): void
  close(): void
}

const LOOK_MS = 5_000
/** The owner's programs must not wait for their memory. */
const APP_LOOK_MS = 2_000
/** Kept loaded after the owner's own request, in a time without guests. */
const OWN_USE_LINGER_MS = 60_000
/** A timer that ends early must not decide by the time before. */
const TIMER_SLACK_MS = 2
const MINUTE_MS = 60_000

interface Job {
  ownKey: boolean
  abort: AbortController
}

export function createEarning(ports: EarningPorts): Earning {
  const { stewardship, engine, environment, clock } = ports
  const word = openEarningWord(ports.dataDirectory)
  const jobs = new Set<Job>()
  const listeners = new Set<() => void>()
  const serially = inOrder()
  let state: PolicyState = INITIAL_POLICY_STATE
  let ownUntilMs = 0
  let timer: NodeJS.Timeout | null = null
  let timerDueMs = 0
  let runsByItself = false
  let closed = false
  let looked = false
  let announced = ''
  let lastMs = 0
  const schedules = scheduleMemory(ports.timeZone ?? systemTimeZone)

  /** With an unreadable clock time stands still here; `admit` refuses work meanwhile. */
  function nowMs(): number {
    try {
      lastMs = readClockMs(clock)
    } catch {
      // As it was.
    }
    return lastMs
  }

  /** What holds now, over what the sensors last said. */
  function decide(): PolicyResult {
    const values = stewardship.values()
    const policy = policyNow()
    const { paused } = values.serving
    const said = wordNow(paused)
    return decideEarning(state, {
      nowMs: nowMs(),
      policy,
      paused,
      finishing: said.finishing,
      snoozedUntilMs: said.snooze?.untilMs ?? null,
      schedule: schedules.at(policy, nowMs()),
      snapshot: { ...environment.snapshot(), profitPerKwh: ports.profitPerKwh() },
      model: { loaded: engine.status().state === 'ready', bytes: ports.modelBytes() },
      runningJobs: paused || said.finishing ? jobs.size : guests().length,
    })
  }

  let policyMemo: { values: ReturnType<Stewardship['values']>; policy: EarningPolicy } | null = null
  function policyNow(): EarningPolicy {
    const values = stewardship.values()
    if (policyMemo?.values !== values) policyMemo = { values, policy: policyOf(values) }
    return policyMemo.policy
  }

  const guests = () => [...jobs].filter(({ ownKey }) => !ownKey)

  /** Ends what has come to its end: a snooze by the clock, a finish by the last job, both by a pause. */
  function wordNow(paused: boolean): EarningWord {
    const { snooze, finishing } = word.get()
    if (paused) return say({ snooze: null, finishing: false })
    const atMs = nowMs()
    if (snooze === null || snooze.untilMs <= atMs) return say({ snooze: null, finishing })
    // A clock that was set back does not make it longer: it lasts from then on for as long as it was to last.
    const lengthMs = snooze.untilMs - snooze.fromMs
    const isLonger = snooze.untilMs - atMs > lengthMs
    return say({ snooze: isLonger ? { fromMs: atMs, untilMs: atMs + lengthMs } : snooze, finishing })
  }

  function say(next: EarningWord): EarningWord {
    const { snooze, finishing } = word.get()
    if (snooze?.untilMs !== next.snooze?.untilMs || finishing !== next.finishing) word.set(next)
    return next
  }

  /** Decides anew, tells of it and sees that it is done. */
  function refresh(): void {
    // Before the first look every sensor would seem to be missing.
    if (closed || !looked) return
    endFinish()
    result = decide()
    state = result.state
    ports.keepAwake?.set(keepAwakeNow())
    announce()
    schedule()
    void enforce().catch(() => undefined)
  }

  /** The pause is written before the finish is forgotten: a crash between the two leaves the host paused. */
  function endFinish(): void {
    const { paused } = stewardship.values().serving
    if (!word.get().finishing || paused || jobs.size > 0) return
    stewardship.setPaused(true, 'window')
  }

  function announce(): void {
    const text = digestOf(viewNow())
    if (text === announced) return
    announced = text
    for (const listener of listeners) listener()
  }

  /** A timer that runs already is only ever brought forward: requests must not put the next look off. */
  function schedule(): void {
    if (!runsByItself) return
    const atMs = nowMs()
    const { drainUntilMs, decision } = result
    const policy = policyNow()
    const pollMs = policy.exclusiveApps.length > 0 || policy.stopForFullScreen ? APP_LOOK_MS : LOOK_MS
    const waits = [drainUntilMs, decision.nextChangeAtMs, ownUntilMs].flatMap((dueMs) =>
      dueMs !== null && dueMs > atMs ? [dueMs - atMs + TIMER_SLACK_MS] : [],
    )
    const dueMs = performance.now() + Math.min(pollMs, ...waits)
    if (timer && timerDueMs <= dueMs) return
    if (timer) clearTimeout(timer)
    timerDueMs = dueMs
    timer = setTimeout(() => {
      timer = null
      tick().catch((error) => process.emitWarning(`earning: ${String(error)}`))
    }, dueMs - performance.now())
    timer.unref()
  }

  async function tick(): Promise<void> {
    await look()
    refresh()
    await enforce()
  }

  async function look(): Promise<void> {
    await environment.look(wantsOf(policyNow()))
    looked = true
  }

  /** Makes the engine what the decision says; the last decision counts, however many were made meanwhile. */
  const enforce = (): Promise<void> =>
    serially(async () => {
      if (closed) return
      const { decision, ownUseNow } = result
      const { state: engineState } = engine.status()
      if (decision.action === 'serve') {
        // Not waited for here: to load takes minutes, and to stop must not have to wait for it.
        if (engineState === 'stopped') load()
        return
      }
      if (decision.action === 'drain') return
      const reason = notEarning(decision, false, nowMs())
      for (const { ownKey, abort } of jobs) if (!ownKey || !ownUseNow) abort.abort(reason)
      const ownerIsUsing = ownUseNow && ([...jobs].some(({ ownKey }) => ownKey) || nowMs() < ownUntilMs)
      if (decision.unloadModel && !ownerIsUsing && engineState !== 'stopped') await engine.stop()
    })

  let loading: Promise<void> = Promise.resolve()
  function load(): Promise<void> {
    loading = engine.start()
    // Whoever waits hears of a failure; to all others it is a state.
    loading.catch(() => undefined)
    return loading
  }

  /** Resolves when what was decided is done: running answers have ended or were cancelled, the memory is free. */
  async function settled(): Promise<void> {
    if (result.decision.action === 'drain' && result.drainUntilMs !== null) {
      await idle(engine, Math.max(0, result.drainUntilMs - nowMs()) + TIMER_SLACK_MS)
      refresh()
    }
    await enforce()
  }

  async function admit(consumer: { ownKey: boolean }): Promise<Admission> {
    readClockMs(clock)
    refresh()
    const { decision, ownUseNow } = result
    const isServing = decision.action === 'serve'
    if (!isServing && !(consumer.ownKey && ownUseNow)) throw notEarning(decision, consumer.ownKey, nowMs())
    const job: Job = { ownKey: consumer.ownKey, abort: new AbortController() }
    jobs.add(job)
    const leave = () => {
      if (!jobs.delete(job)) return
      if (job.ownKey) ownUntilMs = nowMs() + OWN_USE_LINGER_MS
      refresh()
    }
    try {
      if (!isServing && engine.status().state === 'stopped') load()
      if (!isServing && engine.status().state !== 'ready') await loading
    } catch (error) {
      leave()
      throw error
    }
    return { signal: job.abort.signal, leave }
  }

  const keepAwakeNow = () => policyNow().keepAwake && result.decision.action !== 'stop'

  function viewNow(): EarningView {
    const values = stewardship.values()
    const policy = policyNow()
    const { paused } = values.serving
    const { snooze, finishing } = word.get()
    const hours = schedules.at(policy, nowMs())
    return {
      mode: paused ? 'paused' : policy.mode,
      modeWhenResumed: policy.mode,
      decision: result.decision,
      ownUseNow: result.ownUseNow,
      keepAwakeNow: keepAwakeNow(),
      keepAwakeProblem: ports.keepAwake?.problem() ?? null,
      snooze: snooze && { untilMs: snooze.untilMs },
      finishing,
      schedule: hours,
      rules: result.rules,
      sensors: sensorViews({ ...environment.snapshot(), profitPerKwh: ports.profitPerKwh() }, nowMs()),
      policy,
      currency: values.prices.currency,
    }
  }

  function setPaused(paused: boolean, source: OwnerSource, more: OwnerChange[] = []): void {
    stewardship.set([{ key: 'serving.paused', value: paused }, ...more], source)
    say({ snooze: null, finishing: false })
    refresh()
  }

  let result: PolicyResult = decide()
  stewardship.onChange(() => {
    refresh()
    // A rule that was just switched on asks about something that nobody has looked at yet.
    if (looked && runsByItself) void look().then(refresh)
  })
  // A model that is loaded, or no longer, changes what the memory rule asks for.
  engine.onChange(() => {
    if (word.get().finishing) refresh()
  })
  return {
    view: () => {
      refresh()
      return viewNow()
    },
    decision: () => result.decision,
    admit,
    pause: (source) => {
      setPaused(true, source)
      return settled()
    },
    resume: async (source) => {
      setPaused(false, source)
      await enforce()
      if (result.decision.action !== 'serve') return
      // A failed engine is tried again when the owner says so, not by itself.
      if (engine.status().state === 'failed') load()
      await loading
    },
    setMode: (mode, source) => {
      if (mode === 'paused') setPaused(true, source)
      else setPaused(false, source, [{ key: 'earning.mode', value: mode }])
    },
    snooze: (length) => {
      if (stewardship.values().serving.paused) throw alreadyPaused()
      const fromMs = nowMs()
      const policy = policyNow()
      const zone = schedules.at(policy, fromMs).timeZone
      const untilMs =
        'minutes' in length
          ? fromMs + length.minutes * MINUTE_MS
          : nextWallTimeMs(policy.morningAt, zone, fromMs)
      say({ snooze: { fromMs, untilMs }, finishing: false })
      refresh()
    },
    wake: () => {
      say({ ...word.get(), snooze: null })
      refresh()
    },
    finish: () => {
      if (stewardship.values().serving.paused) return
      say({ snooze: null, finishing: true })
      refresh()
    },
    setPolicy: (change, source) => {
      stewardship.set(ownerChanges(change), source)
      refresh()
    },
    tick,
    start: async () => {
      runsByItself = true
      await tick()
      if (result.decision.action === 'serve') await loading
    },
    onChange: (listener) => void listeners.add(listener),
    close: () => {
      closed = true
      ports.keepAwake?.set(false)
      if (timer) clearTimeout(timer)
    },
  }
}

/** What an owner would call a change: not that a figure moved on. */
function digestOf({ decision, rules, sensors: _live, ...view }: EarningView): string {
  const { action, unloadModel, code, params } = decision
  const found = rules.map(({ name, verdict, stops, code: why }) => [name, verdict, stops, why])
  return JSON.stringify([action, unloadModel, code, params.app ?? null, found, view])
}

/** Only what a rule asks about is looked at. */
const wantsOf = (policy: EarningPolicy): EnvironmentWants => ({
  idle: policy.mode === 'when-idle' || (policy.mode === 'schedule' && policy.scheduleNeedsIdle),
  power: !policy.serveOnBattery || policy.minBatteryPercent > 0,
  thermal: policy.stopWhenHot,
  apps: policy.exclusiveApps,
  fullScreen: policy.stopForFullScreen,
  metered: policy.stopOnMetered,
  cpu: policy.maxCpuByOthersPercent !== null,
  figures:
    policy.minFreeMemoryGib !== null || limitsGpuTemperature(policy) || policy.maxCpuTemperatureC !== null,
})

/** The next change is worked out once, not at every look. */
function scheduleMemory(systemZone: () => string) {
  let known: { key: string; fromMs: number; at: EarningView['schedule'] } | null = null
  return {
    at: (policy: EarningPolicy, nowMs: number): EarningView['schedule'] => {
      const timeZone = policy.timeZone ?? systemZone()
      const key = JSON.stringify([timeZone, policy.schedule])
      const until = known?.at.nextChangeAtMs ?? Number.POSITIVE_INFINITY
      if (known?.key === key && known.fromMs <= nowMs && nowMs < until) return known.at
      const spans = weekSpans(policy.schedule)
      const at = {
        timeZone,
        openNow: isOpen(spans, timeZone, nowMs),
        nextChangeAtMs: nextFlipMs(spans, timeZone, nowMs),
      }
      known = { key, fromMs: nowMs, at }
      return at
    },
  }
}

function alreadyPaused(): TiramiError {
  return new TiramiError('EARNING_PAUSED', 'This host is paused, and stays so until you resume it.', {
    nextStep: 'Resume it first; a snooze ends by itself, a pause does not.',
    httpStatus: 409,
  })
}
