import { createContext, type ReactNode, use } from 'react'
import { type StoreApi, useStore } from 'zustand'
import type { AppState } from './app.ts'
import type { AuditsState } from './audits.ts'
import type { BackupCheckState } from './backup-check.ts'
import type { ChatState } from './chat.ts'
import type { ConnectionState } from './connection.ts'
import type { DepthState } from './depth.ts'
import type { EarningPolicyState } from './earning-policy.ts'
import type { EarningsState } from './earnings.ts'
import type { GuardHistoryState } from './guard-history.ts'
import type { Stores } from './index.ts'
import type { KeysState } from './keys.ts'
import type { LanguageState } from './language.ts'
import type { MeshState } from './mesh.ts'
import type { MeshLoansState } from './mesh-loans.ts'
import type { ModelsState } from './models.ts'
import type { MoneyState } from './money.ts'
import type { OwnerState } from './owner.ts'
import type { OwnerFileState } from './owner-file.ts'
import type { PlaygroundState } from './playground.ts'
import type { RestartState } from './restart.ts'
import type { SafetyState } from './safety.ts'
import type { SensorsState } from './sensors.ts'
import type { SentinelState } from './sentinel.ts'
import type { SettingsState } from './settings.ts'
import type { StatementState } from './statement.ts'
import type { StatusState } from './status.ts'
import type { TelemetryState } from './telemetry.ts'
import type { ThemeState } from './theme.ts'
import type { TradeLogState } from './trade-log.ts'
import type { TradesState } from './trades.ts'
import type { WalletState } from './wallet.ts'

const StoresContext = createContext<Stores | null>(null)

export function StoresProvider({ stores, children }: { stores: Stores; children: ReactNode }) {
  return <StoresContext value={stores}>{children}</StoresContext>
}

function useStores(): Stores {
  const stores = use(StoresContext)
  if (stores === null) throw new Error('StoresProvider is missing')
  return stores
}

/** What the person chose for the window itself; the host knows nothing of it. */
export interface Look {
  theme: StoreApi<ThemeState>
  language: StoreApi<LanguageState>
}

const LookContext = createContext<Look | null>(null)

export function LookProvider({ look, children }: { look: Look; children: ReactNode }) {
  return <LookContext value={look}>{children}</LookContext>
}

function useLook(): Look {
  const look = use(LookContext)
  if (look === null) throw new Error('LookProvider is missing')
  return look
}

export function useTheme<T>(select: (state: ThemeState) => T): T {
  return useStore(useLook().theme, select)
}

export function useLanguage<T>(select: (state: LanguageState) => T): T {
  return useStore(useLook().language, select)
}

export function useConnection<T>(select: (state: ConnectionState) => T): T {
  return useStore(useStores().connection, select)
}

export function useStatus<T>(select: (state: StatusState) => T): T {
  return useStore(useStores().status, select)
}

export function useEarnings<T>(select: (state: EarningsState) => T): T {
  return useStore(useStores().earnings, select)
}

export function useTrades<T>(select: (state: TradesState) => T): T {
  return useStore(useStores().trades, select)
}

export function useChat<T>(select: (state: ChatState) => T): T {
  return useStore(useStores().chat, select)
}

export function useModels<T>(select: (state: ModelsState) => T): T {
  return useStore(useStores().models, select)
}

export function usePlayground<T>(select: (state: PlaygroundState) => T): T {
  return useStore(useStores().playground, select)
}

export function useSensors<T>(select: (state: SensorsState) => T): T {
  return useStore(useStores().sensors, select)
}

export function useWallet<T>(select: (state: WalletState) => T): T {
  return useStore(useStores().wallet, select)
}

export function useStatement<T>(select: (state: StatementState) => T): T {
  return useStore(useStores().statement, select)
}

export function useKeys<T>(select: (state: KeysState) => T): T {
  return useStore(useStores().keys, select)
}

export function useSafety<T>(select: (state: SafetyState) => T): T {
  return useStore(useStores().safety, select)
}

export function useSentinel<T>(select: (state: SentinelState) => T): T {
  return useStore(useStores().sentinel, select)
}

export function useMoney<T>(select: (state: MoneyState) => T): T {
  return useStore(useStores().money, select)
}

export function useOwner<T>(select: (state: OwnerState) => T): T {
  return useStore(useStores().owner, select)
}

export function useSettings<T>(select: (state: SettingsState) => T): T {
  return useStore(useStores().settings, select)
}

export function useApp<T>(select: (state: AppState) => T): T {
  return useStore(useStores().app, select)
}

export function useGuardHistory<T>(select: (state: GuardHistoryState) => T): T {
  return useStore(useStores().guardHistory, select)
}

export function useEarningPolicy<T>(select: (state: EarningPolicyState) => T): T {
  return useStore(useStores().earningPolicy, select)
}

export function useOwnerFile<T>(select: (state: OwnerFileState) => T): T {
  return useStore(useStores().ownerFile, select)
}

export function useBackupCheck<T>(select: (state: BackupCheckState) => T): T {
  return useStore(useStores().backupCheck, select)
}

export function useDepth<T>(select: (state: DepthState) => T): T {
  return useStore(useStores().depth, select)
}

export function useTelemetry<T>(select: (state: TelemetryState) => T): T {
  return useStore(useStores().telemetry, select)
}

export function useTradeLog<T>(select: (state: TradeLogState) => T): T {
  return useStore(useStores().tradeLog, select)
}

export function useMesh<T>(select: (state: MeshState) => T): T {
  return useStore(useStores().mesh, select)
}

export function useMeshLoans<T>(select: (state: MeshLoansState) => T): T {
  return useStore(useStores().meshLoans, select)
}

export function useRestart<T>(select: (state: RestartState) => T): T {
  return useStore(useStores().restart, select)
}

export function useAudits<T>(select: (state: AuditsState) => T): T {
  return useStore(useStores().audits, select)
}
