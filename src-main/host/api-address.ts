import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { ApiChoice, PublicErrorData, SettingsView } from '../../src-preload/contract/index.ts'
import { TiramiError, toPublicError } from '../kernel/index.ts'
import { type Settings, settingFixed } from './settings.ts'

const LOOPBACK = '127.0.0.1'
const EVERYWHERE = '0.0.0.0'
const DEFAULT_PORT = 3000

/** Where the API listens: as the command line says, else as the owner chose, else on this machine alone. */
export interface ApiAddress {
  view(): SettingsView['network']['api']
  /** Where it listens now; null: it does not. */
  inForce(): ApiChoice | null
  /** The choice waits for the next start. */
  restartNeeded(): boolean
  /**
   * Listens where it should. What was chosen in the window must not keep the window from opening: then it listens on
   * the loopback, and says why.
   * @throws TiramiError when the command line says so and it cannot be
   */
  open<Opened extends { url: string }>(listen: (choice: ApiChoice) => Promise<Opened>): Promise<Opened>
  /** Kept for the next start. @throws TiramiError BIND_NEEDS_KEY, ADDRESS_NOT_HERE, PORT_IN_USE, SETTING_FIXED */
  choose(choice: ApiChoice): Promise<void>
}

export function createApiAddress({
  given,
  settings,
  keysIssued,
}: {
  /** From the command line. */
  given: { address?: string; port?: number }
  settings: Settings
  /** Keys that somebody else than the owner can use. */
  keysIssued(): number
}): ApiAddress {
  let inForce: ApiChoice | null = null
  let startedWith: ApiChoice | null = null
  let problem: PublicErrorData | null = null

  const chosen = (): ApiChoice => ({
    ...(settings.get().api ?? { address: LOOPBACK, port: DEFAULT_PORT }),
    ...given,
  })
  const assertKey = ({ address }: ApiChoice): void => {
    if (address !== LOOPBACK && keysIssued() === 0) throw needsKey()
  }
  return {
    view: () => ({
      chosen: chosen(),
      fixed: { address: given.address !== undefined, port: given.port !== undefined },
      addresses: addressesHere(),
      problem,
    }),
    inForce: () => inForce,
    restartNeeded: () => startedWith !== null && !isSame(startedWith, chosen()),
    open: async (listen) => {
      const wanted = chosen()
      startedWith = wanted
      const listenAt = async (choice: ApiChoice) => {
        assertKey(choice)
        const opened = await listen(choice)
        const port = Number(new URL(opened.url).port)
        inForce = { address: choice.address, port }
        return opened
      }
      try {
        return await listenAt(wanted)
      } catch (error) {
        if (settings.get().api === null || isSame(wanted, given)) throw error
        problem = toPublicError(error)
        return await listenAt({ address: LOOPBACK, port: given.port ?? 0 })
      }
    },
    choose: async (choice) => {
      const { address, port } = { ...choice, ...given }
      if (address !== choice.address || port !== choice.port) throw settingFixed()
      if (!addressesHere().includes(address)) throw notHere(address)
      assertKey(choice)
      if (port !== 0 && port !== inForce?.port) await assertFree(choice)
      settings.set({ api: choice })
    },
  }
}

const isSame = (a: ApiChoice, b: Partial<ApiChoice>) => a.address === b.address && a.port === b.port

/** The loopback, everywhere, and the IPv4 addresses of this machine. */
function addressesHere(): string[] {
  const own = Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
  return [...new Set([LOOPBACK, EVERYWHERE, ...own])]
}

/** @throws TiramiError PORT_IN_USE */
async function assertFree({ address, port }: ApiChoice): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (cause) => reject(notFree(port, cause)))
    probe.listen({ host: address, port }, () => probe.close(() => resolve()))
  })
}

function notFree(port: number, cause: unknown): TiramiError {
  return new TiramiError('PORT_IN_USE', `Port ${port} cannot be used: another program may have it.`, {
    nextStep: 'Choose another port, or 0 for any free one.',
    httpStatus: 409,
    cause,
  })
}

function needsKey(): TiramiError {
  return new TiramiError(
    'BIND_NEEDS_KEY',
    'Other machines could reach this host, but nobody has a key to use it with.',
    { nextStep: 'Issue a key on the page Keys first; your own key stays on this machine.', httpStatus: 409 },
  )
}

function notHere(address: string): TiramiError {
  return new TiramiError('ADDRESS_NOT_HERE', `This machine does not have the address ${address}.`, {
    nextStep: 'Choose one of the addresses in the list.',
    httpStatus: 400,
  })
}
