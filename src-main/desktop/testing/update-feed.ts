import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, RequestOptions, ServerResponse } from 'node:http'
import { request as plainRequest } from 'node:http'
import { createServer, request } from 'node:https'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import electronUpdater, { type AppUpdater } from 'electron-updater'
import { stringify } from 'yaml'

/** Of the test feed only; made for these tests and trusted by nothing else. */
const KEY = readFileSync(join(import.meta.dirname, 'feed-key.pem'), 'utf8')
const CERTIFICATE = readFileSync(join(import.meta.dirname, 'feed-cert.pem'), 'utf8')

/** electron-updater's own HTTP client, over Node's sockets instead of Chromium's. */
const { ElectronHttpExecutor } = createRequire(import.meta.url)(
  'electron-updater/out/electronHttpExecutor',
) as { ElectronHttpExecutor: new () => object }
class NodeHttpExecutor extends ElectronHttpExecutor {
  readonly #trust: { ca?: string }
  constructor(trust: { ca?: string }) {
    super()
    this.#trust = trust
  }
  createRequest(options: RequestOptions, callback: (response: IncomingMessage) => void) {
    return options.protocol === 'http:'
      ? plainRequest(options, callback)
      : request({ ...options, ...this.#trust }, callback)
  }
}

export interface Answer {
  status?: number
  headers?: Record<string, string>
  body?: string | Buffer
  /** Closes the connection after so many bytes, having promised all. */
  cutAfter?: number
}

/** A feed on this machine, over https, that says what the test wants. */
export class TestFeed {
  readonly answers = new Map<string, Answer>()
  readonly asked: string[] = []
  readonly #server = createServer({ key: KEY, cert: CERTIFICATE }, (incoming, response) =>
    this.#answer(incoming, response),
  )

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return this.url
  }

  get url(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}/feed/`
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  /** Publishes a release in a channel file, with every part that a test may falsify. */
  publish(given: {
    version: string
    channel?: string
    name?: string
    content?: Buffer
    sha512?: string
    size?: number
    more?: object
  }): { name: string; content: Buffer } {
    const name = given.name ?? `tirami-host-${given.version}-linux-x64.AppImage`
    const content = given.content ?? randomBytes(4_096)
    const sha512 = given.sha512 ?? createHash('sha512').update(content).digest('base64')
    const file = { url: name, sha512, size: given.size ?? content.length }
    const channelFile = { version: given.version, files: [file], path: name, sha512, ...given.more }
    const suffix = process.arch === 'x64' ? '' : `-${process.arch}`
    this.answers.set(`/feed/${given.channel ?? 'latest'}-linux${suffix}.yml`, {
      body: stringify(channelFile),
    })
    this.answers.set(`/feed/${encodeURI(name)}`, { body: content })
    return { name, content }
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    const path = incoming.url?.split('?')[0] ?? ''
    this.asked.push(path)
    const answer = this.answers.get(path)
    if (answer === undefined) {
      response.writeHead(404).end()
      return
    }
    const body = Buffer.from(answer.body ?? '')
    response.writeHead(answer.status ?? 200, { 'content-length': body.length, ...answer.headers })
    if (answer.cutAfter === undefined) response.end(body)
    else response.write(body.subarray(0, answer.cutAfter), () => response.destroy())
  }
}

export interface TestInstallation {
  updater: AppUpdater
  userData: string
  /** Names of files that the updater has left in its cache. */
  downloaded(): string[]
  /** Everything below the folder that the test owns. */
  everything(): string[]
  quits: number
}

/** electron-updater's own AppImage updater, as in an installed app of `version`. */
export function installation(version: string, trustsFeed = true): TestInstallation {
  const root = mkdtempSync(join(tmpdir(), 'tirami-update-'))
  const userData = join(root, 'user')
  const appImage = join(root, `tirami-host-${version}-linux-x64.AppImage`)
  writeFileSync(appImage, 'the installed app')
  writeFileSync(
    join(root, 'app-update.yml'),
    stringify({ provider: 'generic', updaterCacheDirName: 'updates' }),
  )
  process.env.APPIMAGE = appImage
  const state = { quits: 0 }
  const updater = new electronUpdater.AppImageUpdater(null, {
    version,
    name: 'tirami-host',
    isPackaged: true,
    appUpdateConfigPath: join(root, 'app-update.yml'),
    userDataPath: userData,
    baseCachePath: join(root, 'cache'),
    whenReady: async () => undefined,
    relaunch: () => undefined,
    quit: () => {
      state.quits += 1
    },
    onQuit: () => undefined,
  })
  updater.logger = null
  ;(updater as unknown as { httpExecutor: unknown }).httpExecutor = new NodeHttpExecutor(
    trustsFeed ? { ca: CERTIFICATE } : {},
  )
  const list = (folder: string) => {
    try {
      return readdirSync(folder, { recursive: true }).map(String).sort()
    } catch {
      return []
    }
  }
  return {
    updater,
    userData,
    downloaded: () => list(join(root, 'cache')).filter((name) => /AppImage|temp-/.test(name)),
    everything: () => list(root),
    get quits() {
      return state.quits
    },
  }
}
