import {
  type CallResult,
  type HostEvent,
  type HostStatus,
  isProcedureName,
  type MeshView,
  type modelProcedures,
  type ProcedureInput,
  type ProcedureName,
  type ProcedureOutput,
  procedures,
} from '../../src-preload/contract/index.ts'
import type { JobRequest } from '../inference/index.ts'
import { type Clock, hexFromBytes, type Rng, TiramiError, toPublicError } from '../kernel/index.ts'
import type { Ledger } from '../ledger/index.ts'
import type { Access } from './access.ts'
import type { Audits } from './audits.ts'
import { appHandlers } from './control-app.ts'
import { earningHandlers } from './control-earning.ts'
import { keyHandlers } from './control-keys.ts'
import { meshLoanHandlers } from './control-mesh-loans.ts'
import { reasonHandlers } from './control-reason.ts'
import { safetyHandlers } from './control-safety.ts'
import { type SettingsPorts, settingsHandlers } from './control-settings.ts'
import { statementHandlers } from './control-statement.ts'
import { stewardshipHandlers } from './control-stewardship.ts'
import { walletHandlers } from './control-wallet.ts'
import type { Earning } from './earning-policy.ts'
import type { EconomyService } from './economy-service.ts'
import type { Settlement } from './economy-settlement.ts'
import type { EnergyMeter } from './energy-meter.ts'
import type { EventLog } from './events.ts'
import type { Handlers } from './handlers.ts'
import type { HostKeys } from './keys.ts'
import type { Machine } from './machine.ts'
import type { MarketLoans } from './market-loans.ts'
import type { ModelDesk } from './model-desk.ts'
import type { Safety } from './safety.ts'
import type { ServeEvent } from './serving.ts'
import { UpstreamChoice } from './settings.ts'
import type { Stewardship } from './stewardship.ts'

/** What the window, over any transport, may ask of the host. */
export interface Control {
  /** Parses the input, runs the procedure, answers with an envelope. Never rejects. */
  call(procedure: string, input: unknown): Promise<CallResult>
  /** @param after the place of the last event that the reader has: what it missed comes first, or a `resync` */
  subscribe(listener: (event: HostEvent) => void, after?: string): () => void
  /** Where an event stands, for a reader that comes back. */
  placeOf(event: HostEvent): string
}

export interface ControlPorts {
  status(): HostStatus
  earning: Earning
  ledger: Ledger
  safety: Safety
  economy: EconomyService
  settlement: Settlement
  access: Access
  stewardship: Stewardship
  energy: Pick<EnergyMeter, 'power'>
  reason: Parameters<typeof reasonHandlers>[0]
  mesh: {
    view(): MeshView
    allowKey(consumer: string, allowed: boolean): Promise<void>
    loans(): MarketLoans | null
    partners(): string[]
  }
  audits: Pick<Audits, 'view' | 'audit'>
  desk: ModelDesk
  machine: Pick<Machine, 'sensors'>
  keys: Pick<HostKeys, 'windowConsumer' | 'localConsumer'>
  settings: SettingsPorts
  clock: Clock
  nodeId: string
  events: EventLog
  rng: Rng
  defaultTemperature(): number
  chat(request: JobRequest, signal: AbortSignal): AsyncGenerator<ServeEvent, void, void>
}

/** Whoever has the window is the owner. */
const OPERATOR = 'owner'
const DEFAULT_CHAT_MAX_TOKENS = 256
/** A language model answers in one pass of thought, as `x_tirami` says too. */
const LANGUAGE_MODEL_DEPTH = 1
/** A window that starts chats and never reads them must not pile up work. */
const OPEN_CHATS_MAX = 8

export function createControl(ports: ControlPorts): Control {
  const chats = new Map<string, AbortController>()
  const handlers: Handlers = {
    'status.get': async () => ports.status(),
    'host.pause': async () => {
      await ports.earning.pause('window')
      return ports.status()
    },
    'host.resume': async () => {
      await ports.earning.resume('window')
      return ports.status()
    },
    'safety.kill': async ({ active }) => {
      await ports.safety.killSwitch({ active, reason: 'stopped in the window', operator: OPERATOR })
      return ports.status()
    },
    'safety.answer': async (answer) => {
      await ports.safety.answerApproval({ ...answer, operator: OPERATOR })
      return ports.status()
    },
    ...safetyHandlers(ports),
    ...settingsHandlers(ports.settings),
    'hardware.sensors': () => ports.machine.sensors(),
    ...modelHandlers(ports.desk),
    ...walletHandlers(ports.economy, ports.nodeId),
    ...statementHandlers({ ...ports, prices: () => ports.stewardship.values().prices }),
    ...keyHandlers(ports),
    ...reasonHandlers(ports.reason),
    'mesh.get': async () => ports.mesh.view(),
    'mesh.allowKey': async ({ consumer, allowed }) => {
      await ports.mesh.allowKey(consumer, allowed)
      return ports.mesh.view()
    },
    ...meshLoanHandlers({ ...ports, ...ports.mesh }),
    'mesh.audits': async () => ports.audits.view(),
    'mesh.audit': ({ nodeId, model }) => ports.audits.audit(nodeId, model),
    ...stewardshipHandlers(ports.stewardship, ports.earning),
    'money.get': async () => ports.stewardship.money(ports.energy.power()),
    ...appHandlers,
    ...earningHandlers(ports.earning),
    'earnings.get': async ({ range }) => ({
      ...(await ports.ledger.earnings(ports.nodeId, range)),
      allTimeOnCreditTrm: String(ports.economy.income().onCreditTrm),
    }),
    'trades.list': async ({ limit, beforeIndex }) => ({
      trades: await ports.ledger.listTrades(beforeIndex === undefined ? { limit } : { limit, beforeIndex }),
      total: ports.ledger.tradeCount(),
    }),
    'trades.prove': ({ tradeId }) => ports.ledger.proveTrade(tradeId),
    'chat.start': async (input) => startChat(ports, chats, input),
    'chat.cancel': async ({ chatId }) => {
      chats.get(chatId)?.abort()
      return {}
    },
  }
  return {
    call: (procedure, input) => runProcedure(handlers, procedure, input),
    subscribe: (listener, after) => ports.events.subscribe(listener, after),
    placeOf: (event) => ports.events.placeOf(event),
  }
}

/** Whatever was asked, the window gets the whole view: it never has to guess what a command changed. */
function modelHandlers(desk: ModelDesk): Pick<Handlers, keyof typeof modelProcedures> {
  const { downloads } = desk.store
  const after =
    <Input>(action: (input: Input) => unknown) =>
    async (input: Input) => {
      await action(input)
      return desk.view()
    }
  return {
    'models.get': () => desk.view(),
    'models.load': after(({ id }) => desk.load(id)),
    'models.listUpstream': async ({ baseUrl, apiKey }) => ({
      models: await desk.listUpstream(baseUrl, apiKey ?? null),
    }),
    'models.connect': after(({ apiKey, slots, ...upstream }) =>
      desk.connect(
        UpstreamChoice.parse({ ...upstream, ...(slots === undefined ? {} : { slots }) }),
        apiKey ?? null,
      ),
    ),
    'models.delete': after(({ id }) => desk.remove(id)),
    'models.add': after(({ source }) => desk.store.add(source)),
    'models.configure': after((settings) => desk.configure(settings)),
    'downloads.pause': after(({ id }) => downloads.pause(id)),
    'downloads.resume': after(({ id }) => downloads.resume(id)),
    'downloads.cancel': after(({ id }) => downloads.cancel(id)),
  }
}

async function runProcedure(handlers: Handlers, procedure: string, input: unknown): Promise<CallResult> {
  try {
    if (!isProcedureName(procedure)) {
      throw new TiramiError('PROCEDURE_UNKNOWN', 'The window asked for something this host does not know.', {
        nextStep: 'Reload the window; if it persists, update the app.',
        httpStatus: 404,
      })
    }
    const parsed = procedures[procedure].input.safeParse(input)
    if (!parsed.success) {
      throw new TiramiError('INPUT_INVALID', `The request “${procedure}” has the wrong shape.`, {
        nextStep: 'Reload the window; if it persists, update the app.',
        httpStatus: 400,
      })
    }
    const handler = handlers[procedure] as (input: unknown) => Promise<ProcedureOutput<ProcedureName>>
    // Parsed too: what the contract does not name leaves the host over no transport.
    return { ok: true, result: procedures[procedure].output.parse(await handler(parsed.data)) }
  } catch (error) {
    return { ok: false, error: toPublicError(error) }
  }
}

function startChat(
  ports: ControlPorts,
  chats: Map<string, AbortController>,
  input: ProcedureInput<'chat.start'>,
): { chatId: string } {
  if (chats.size >= OPEN_CHATS_MAX) {
    throw new TiramiError('TOO_MANY_CHATS', 'Too many answers are being written at once.', {
      nextStep: 'Wait for one to end, or stop it.',
      httpStatus: 429,
    })
  }
  const chatId = hexFromBytes(ports.rng.bytes(16))
  const abort = new AbortController()
  chats.set(chatId, abort)
  const request: JobRequest = {
    prompt: { type: 'chat', turns: input.messages },
    maxTokens: input.maxTokens ?? DEFAULT_CHAT_MAX_TOKENS,
    temperature: ports.defaultTemperature(),
    topP: 1,
    stop: [],
  }
  void streamChat(ports, chatId, request, abort.signal).finally(() => chats.delete(chatId))
  return { chatId }
}

async function streamChat(
  ports: ControlPorts,
  chatId: string,
  request: JobRequest,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const event of ports.chat(request, signal)) {
      if (event.type === 'text') ports.events.emit('chat.delta', { chatId, text: event.text })
      if (event.type !== 'booked') continue
      const { receipt } = event
      ports.events.emit('chat.done', {
        chatId,
        finishReason: receipt.finishReason,
        promptTokens: receipt.promptTokens,
        completionTokens: receipt.completionTokens,
        amountTrm: String(receipt.amountTrm),
        flop: String(receipt.flop),
        depth: LANGUAGE_MODEL_DEPTH,
        timeToFirstTokenMs: receipt.timeToFirstTokenMs,
        latencyMs: receipt.latencyMs,
      })
    }
  } catch (error) {
    if (signal.aborted) {
      ports.events.emit('chat.done', {
        chatId,
        finishReason: 'cancelled',
        promptTokens: 0,
        completionTokens: 0,
        amountTrm: '0',
        flop: '0',
        depth: 0,
        timeToFirstTokenMs: 0,
        latencyMs: 0,
      })
    } else {
      ports.events.emit('chat.failed', { chatId, error: toPublicError(error) })
    }
  }
}
