import type { HostClient, HostEvent, HostStatus } from '../../src-preload/contract/index.ts'
import { createAppStore } from './app.ts'
import { createAuditsStore } from './audits.ts'
import { createBackupCheckStore } from './backup-check.ts'
import { createChatStore } from './chat.ts'
import { createConnectionStore } from './connection.ts'
import { createDepthStore } from './depth.ts'
import { createEarningPolicyStore } from './earning-policy.ts'
import { createEarningsStore } from './earnings.ts'
import { createGuardHistoryStore } from './guard-history.ts'
import { createKeysStore } from './keys.ts'
import { createMeshStore } from './mesh.ts'
import { createMeshLoansStore } from './mesh-loans.ts'
import { createModelsStore } from './models.ts'
import { createMoneyStore } from './money.ts'
import { createOwnerStore } from './owner.ts'
import { createOwnerFileStore } from './owner-file.ts'
import { createPlaygroundStore } from './playground.ts'
import { createRestartStore } from './restart.ts'
import { createSafetyStore } from './safety.ts'
import { createSensorsStore } from './sensors.ts'
import { createSentinelStore } from './sentinel.ts'
import { createSettingsStore } from './settings.ts'
import { createStatementStore } from './statement.ts'
import { createStatusStore } from './status.ts'
import { createTelemetryStore } from './telemetry.ts'
import { createTradeLogStore } from './trade-log.ts'
import { createTradesStore } from './trades.ts'
import { createWalletStore } from './wallet.ts'

export type Stores = ReturnType<typeof createStores>

export function createStores(client: HostClient) {
  return {
    connection: createConnectionStore(),
    status: createStatusStore(client),
    earnings: createEarningsStore(client),
    money: createMoneyStore(client),
    owner: createOwnerStore(client),
    trades: createTradesStore(client),
    chat: createChatStore(client),
    models: createModelsStore(client),
    wallet: createWalletStore(client),
    statement: createStatementStore(client),
    keys: createKeysStore(client),
    playground: createPlaygroundStore(client),
    sensors: createSensorsStore(client),
    safety: createSafetyStore(client),
    sentinel: createSentinelStore(client),
    ownerFile: createOwnerFileStore(client),
    backupCheck: createBackupCheckStore(client),
    earningPolicy: createEarningPolicyStore(client),
    settings: createSettingsStore(client),
    app: createAppStore(client),
    guardHistory: createGuardHistoryStore(client),
    depth: createDepthStore(client),
    telemetry: createTelemetryStore(client),
    tradeLog: createTradeLogStore(client),
    mesh: createMeshStore(client),
    meshLoans: createMeshLoansStore(client),
    audits: createAuditsStore(client),
    restart: createRestartStore(client),
  }
}

/** How often a host that is not heard is asked why: the stream itself cannot say that a session has ended. */
const ASK_WHY_MS = 5_000

function loadAll(stores: Stores): void {
  void stores.status.getState().load()
  void stores.earnings.getState().load()
  void stores.trades.getState().load()
}

function deliver(stores: Stores, event: HostEvent): void {
  switch (event.name) {
    case 'status.changed':
      onStatusChanged(stores, event.data)
      break
    case 'earning.changed':
      stores.earningPolicy.setState({ view: event.data })
      break
    case 'trade.booked':
      stores.trades.getState().onTradeBooked(event.data)
      stores.earnings.getState().onTradeBooked()
      stores.money.getState().refresh()
      stores.wallet.getState().refresh()
      stores.keys.getState().refresh()
      stores.mesh.getState().refresh()
      break
    case 'chat.delta':
    case 'chat.done':
    case 'chat.failed':
      stores.chat.getState().onChatEvent(event)
      break
    case 'download.changed':
      stores.models.getState().onDownloadChanged(event.data)
      break
    case 'models.changed':
      stores.models.getState().refresh()
      break
    case 'mesh.changed':
      stores.mesh.getState().refresh()
      stores.meshLoans.getState().refresh()
      stores.audits.getState().refresh()
      break
    case 'app.changed':
      stores.app.setState({ view: event.data })
      break
    case 'resync':
      // An answer that was being written has a gap now.
      stores.chat.getState().onDisconnected()
      loadAll(stores)
      stores.models.getState().refresh()
      stores.wallet.getState().refresh()
      stores.keys.getState().refresh()
      stores.mesh.getState().refresh()
      break
  }
}

function onStatusChanged(stores: Stores, status: HostStatus): void {
  const before = stores.status.getState().status
  stores.status.getState().onStatusChanged(status)
  if (before === null || before.startedAtMs === status.startedAtMs) return
  // Another host process: it knows nothing of the answer that the one before was writing.
  stores.restart.getState().done()
  stores.mesh.getState().refresh()
  stores.settings.getState().refresh()
  stores.chat.getState().onDisconnected()
  void stores.earnings.getState().load()
  void stores.trades.getState().load()
  stores.money.getState().refresh()
  stores.models.getState().refresh()
  stores.wallet.getState().refresh()
  stores.keys.getState().refresh()
}

/** Keeps the stores in step with the host. @returns a function that ends it. */
export function connectStores(client: HostClient, stores: Stores): () => void {
  // Not before the first event of a connection: a host that was started anew counts from the beginning.
  let lastSeq = -1
  const endEvents = client.subscribe((event) => {
    if (event.seq <= lastSeq) return
    lastSeq = event.seq
    deliver(stores, event)
  })
  let askWhy: ReturnType<typeof setInterval> | undefined
  const endConnection = client.onConnection((connected) => {
    stores.connection.getState().setConnected(connected)
    clearInterval(askWhy)
    if (connected) {
      lastSeq = -1
      // What happened while nobody listened was missed.
      loadAll(stores)
    } else {
      stores.chat.getState().onDisconnected()
      askWhy = setInterval(() => void stores.status.getState().load(), ASK_WHY_MS)
    }
  })
  // The stream may take its time to open; what can be asked is not kept waiting for it.
  if (stores.connection.getState().phase === 'connecting') loadAll(stores)
  return () => {
    clearInterval(askWhy)
    endEvents()
    endConnection()
  }
}
