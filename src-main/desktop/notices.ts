import type { AppSettings, HostEvent, Trade } from '../../src-preload/contract/index.ts'

/** What the owner is told outside the window. */
export type Notice =
  | { kind: 'firstEarning'; amountTrm: string; modelId: string }
  | { kind: 'sentinelRed'; reason: string }
  | { kind: 'updateReady'; version: string }

export interface NoticeState {
  /** Evening of the last night whose first earning was told. */
  nightTold: string | null
  sentinelRed: boolean
  /** This host, as its status says; null until it has spoken. */
  nodeId: string | null
}

/** Hours of the day, on the clock on the wall, between which it is night. */
const NIGHT = { from: 20, to: 9 }

/** The evening that the night around `ms` began on, such as `2026-11-28`; null by day. */
export function nightOf(ms: number): string | null {
  const time = new Date(ms)
  const hour = time.getHours()
  if (hour >= NIGHT.to && hour < NIGHT.from) return null
  const evening = new Date(time.getFullYear(), time.getMonth(), time.getDate() - (hour < NIGHT.to ? 1 : 0))
  const two = (value: number) => String(value).padStart(2, '0')
  return `${evening.getFullYear()}-${two(evening.getMonth() + 1)}-${two(evening.getDate())}`
}

/** What an event of the host is worth telling, and what is to be remembered of it. */
export function noticeOf(
  event: HostEvent,
  before: NoticeState,
): { state: NoticeState; notice: Notice | null } {
  if (event.name === 'trade.booked') return firstEarning(event.data, before)
  if (event.name !== 'status.changed') return { state: before, notice: null }
  const { nodeId, reasonCode } = event.data
  const sentinelRed = reasonCode === 'sentinel-red'
  const notice: Notice | null =
    sentinelRed && !before.sentinelRed ? { kind: 'sentinelRed', reason: event.data.reason } : null
  return { state: { ...before, sentinelRed, nodeId }, notice }
}

function firstEarning(trade: Trade, before: NoticeState) {
  const night = nightOf(trade.timestampMs)
  // What the owner uses himself is no income, and neither is what this host pays to another one.
  const isSold = before.nodeId !== null && trade.provider === before.nodeId
  const isIncome = isSold && !trade.ownKey && trade.passedOnTrm !== trade.amountTrm
  if (night === null || !isIncome || night === before.nightTold) return { state: before, notice: null }
  const { amountTrm, modelId } = trade
  const notice: Notice = { kind: 'firstEarning', amountTrm, modelId }
  return { state: { ...before, nightTold: night }, notice }
}

/** Each kind can be turned off. */
export function noticeWanted(notice: Notice, settings: AppSettings): boolean {
  return settings.notifications[notice.kind]
}
