import type { MeshSetup, PublicErrorData } from '../../src-preload/contract/index.ts'
import { toPublicError } from '../kernel/index.ts'
import { inOrder } from './in-order.ts'
import type { HostMarket, MeshChoice } from './market.ts'
import { type Settings, settingFixed } from './settings.ts'

/** The mesh, on or off: it can be joined and left while the host runs. */
export interface MeshSwitch {
  /** Null while it is off. */
  current(): HostMarket | null
  view(): { setup: MeshSetup; fixed: boolean; on: boolean; problem: PublicErrorData | null }
  /** @throws TiramiError when the command line asked for a mesh that cannot be opened */
  start(): Promise<void>
  /** Kept when it returns, and in force. @throws TiramiError SETTING_FIXED, or why it cannot be opened: the old holds */
  set(setup: MeshSetup): Promise<void>
  close(): Promise<void>
}

const LOCAL_PORT = 4001

/** What the form begins with. */
const OFF: MeshSetup = { enabled: false, port: LOCAL_PORT, reach: 'local', bootstrap: [], group: 'tirami' }

export function createMeshSwitch({
  given,
  allowed,
  settings,
  open,
  onChange,
}: {
  /** From the command line. */
  given: MeshChoice | undefined
  /** False in safe mode: nothing is opened to others. */
  allowed: boolean
  settings: Settings
  open(choice: MeshChoice): Promise<HostMarket>
  onChange(): void
}): MeshSwitch {
  const serially = inOrder()
  let market: HostMarket | null = null
  let problem: PublicErrorData | null = null
  let closed = false

  const chosen = (): MeshSetup => settings.get().mesh ?? OFF
  const setup = (): MeshSetup => (given ? setupOf(given) : chosen())

  const leave = async (): Promise<void> => {
    const leaving = market
    market = null
    await leaving?.close()
  }
  const join = async (wanted: MeshSetup): Promise<void> => {
    if (wanted.enabled && allowed && !closed) market = await open(choiceOf(wanted))
  }
  return {
    current: () => market,
    view: () => ({ setup: setup(), fixed: given !== undefined, on: market !== null, problem }),
    start: () =>
      serially(async () => {
        if (!allowed) return
        if (given) {
          market = await open(given)
          return
        }
        // What was chosen in the window must not keep the window from opening.
        await join(chosen()).catch((error) => {
          problem = toPublicError(error)
        })
      }),
    set: (wanted) =>
      serially(async () => {
        if (given) throw settingFixed()
        const before = chosen()
        await leave()
        try {
          await join(wanted)
        } catch (error) {
          await join(before).catch((again) => {
            problem = toPublicError(again)
          })
          throw error
        } finally {
          onChange()
        }
        problem = null
        settings.set({ mesh: wanted })
      }),
    close: () =>
      serially(async () => {
        closed = true
        await leave()
      }),
  }
}

function choiceOf({ port, reach, bootstrap, group }: MeshSetup): MeshChoice {
  return {
    port,
    bootstrap,
    network: group,
    local: reach !== 'machine',
    natTraversal: reach === 'internet',
  }
}

function setupOf({ port, bootstrap, network, local, natTraversal }: MeshChoice): MeshSetup {
  const reach = natTraversal ? 'internet' : local ? 'local' : 'machine'
  return { enabled: true, port, reach, bootstrap, group: network }
}
