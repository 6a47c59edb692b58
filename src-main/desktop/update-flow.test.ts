import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AppSettings, AppUpdate } from '../../src-preload/contract/index.ts'
import { say } from './saying.ts'
import { installation, TestFeed, type TestInstallation } from './testing/update-feed.ts'
import { createUpdateDesk, NO_UPDATE_MEMORY, type UpdateMemory } from './update-desk.ts'
import { guardedEngine } from './update-engine.ts'
import { feedAt } from './update-policy.ts'

// electron-updater's own provider, HTTP client, hashing and cache, against a feed over https on this machine.

const CURRENT = '1.2.3'
let feed: TestFeed
let url: string
const { APPIMAGE } = process.env

beforeEach(async () => {
  feed = new TestFeed()
  url = await feed.open()
})
afterEach(async () => {
  await feed.close()
  if (APPIMAGE === undefined) delete process.env.APPIMAGE
  else process.env.APPIMAGE = APPIMAGE
})

interface Setup {
  updates?: Partial<AppSettings['updates']>
  memory?: Partial<UpdateMemory>
  metered?: boolean
  finishJobs?: () => Promise<boolean>
  trustsFeed?: boolean
}

function app(setup: Setup = {}) {
  const installed = installation(CURRENT, setup.trustsFeed)
  const allowed = feedAt(url)
  if (allowed === null) throw new Error('no feed')
  const engine = guardedEngine(installed.updater, allowed)
  const settings = { enabled: true, channel: 'stable', onMetered: false, ...setup.updates } as const
  const now: { settings: AppSettings['updates'] } = { settings }
  let memory: UpdateMemory = { ...NO_UPDATE_MEMORY, ...setup.memory }
  const states: AppUpdate['state'][] = []
  const installs = vi.spyOn(engine, 'install').mockImplementation(() => undefined)
  const ready: string[] = []
  const desk = createUpdateDesk({
    engine,
    unsupported: say('update.unsupported-build'),
    currentVersion: CURRENT,
    platform: 'linux',
    settings: () => now.settings,
    memory: {
      get: () => memory,
      set: (change) => {
        memory = { ...memory, ...change }
      },
    },
    metered: () => setup.metered ?? null,
    finishJobs: setup.finishJobs ?? (async () => true),
    nowMs: () => 1_800_000_000_000,
    random: () => 0.5,
    changed: ({ state }) => {
      if (states.at(-1) !== state) states.push(state)
    },
    ready: (version) => void ready.push(version),
  })
  return { desk, installed, states, installs, ready, now, memory: () => memory }
}

/** Nothing was offered, nothing lies on the disk, and the owner is told why. */
async function refused(code: string, setup: Setup = {}): Promise<ReturnType<typeof app>> {
  const running = app(setup)
  await running.desk.check()
  expect(running.desk.view().saying.code).toBe(code)
  expect(['idle', 'failed', 'available']).toContain(running.desk.view().state)
  expect(running.installed.downloaded()).toEqual([])
  expect(running.installed.updater.autoInstallOnAppQuit).toBe(false)
  expect(running.ready).toEqual([])
  running.desk.close()
  return running
}

const filesAsked = () => feed.asked.filter((path) => !path.endsWith('.yml'))

describe('a newer version', () => {
  it('is downloaded whole, checked, offered, and installed at quit', async () => {
    const { name } = feed.publish({ version: '1.3.0' })
    const { desk, installed, states, ready, memory } = app()
    await desk.check()
    expect(states).toEqual(['checking', 'downloading', 'ready'])
    expect(desk.view()).toMatchObject({ version: '1.3.0', progress: 1, lastCheckAtMs: 1_800_000_000_000 })
    expect(installed.downloaded()).toEqual([`updates/pending/${name}`])
    expect(installed.updater.autoInstallOnAppQuit).toBe(true)
    expect(ready).toEqual(['1.3.0'])
    expect(memory().seen?.version).toBe('1.3.0')
    desk.close()
  })

  it('is installed on the owner’s word, after the jobs that run', async () => {
    feed.publish({ version: '1.3.0' })
    const jobs = Promise.withResolvers<boolean>()
    const { desk, installs, states } = app({ finishJobs: () => jobs.promise })
    await desk.check()
    const installing = desk.install()
    await Promise.resolve()
    expect(desk.view().state).toBe('finishing-jobs')
    expect(installs).not.toHaveBeenCalled()
    jobs.resolve(true)
    await installing
    expect(installs).toHaveBeenCalledOnce()
    expect(states.at(-1)).toBe('finishing-jobs')
    desk.close()
  })

  it.each([
    ['when the owner calls it off', async () => false],
    [
      'when the host cannot be asked',
      async () => {
        throw new Error('gone')
      },
    ],
  ])('is not installed %s', async (_name, finishJobs) => {
    feed.publish({ version: '1.3.0' })
    const { desk, installs } = app({ finishJobs })
    await desk.check()
    await desk.install()
    expect(installs).not.toHaveBeenCalled()
    expect(desk.view().state).toBe('ready')
    desk.close()
  })

  it.each([
    ['updates are turned off', { enabled: false }],
    ['the channel is left', { channel: 'beta' as const }],
  ])('is not installed at quit when %s after the download', async (_name, change) => {
    feed.publish({ version: '1.3.0' })
    const { desk, installed, installs, now } = app()
    await desk.check()
    now.settings = { ...now.settings, ...change }
    desk.settingsChanged()
    expect(installed.updater.autoInstallOnAppQuit).toBe(false)
    await desk.install()
    expect(installs).not.toHaveBeenCalled()
    expect(desk.view().state).not.toBe('ready')
    desk.close()
  })

  it('waits on a connection that charges by volume, and comes when the owner allows it', async () => {
    feed.publish({ version: '1.3.0' })
    const { desk, now } = await refused('update.metered', { metered: true })
    expect(filesAsked()).toEqual([])
    desk.close()
    const again = app({ metered: true })
    await again.desk.check()
    expect(again.desk.view()).toMatchObject({ state: 'available', version: '1.3.0' })
    again.now.settings = { ...now.settings, onMetered: true }
    again.desk.settingsChanged()
    await vi.waitFor(() => expect(again.desk.view().state).toBe('ready'))
    again.desk.close()
  })
})

describe('is not installed:', () => {
  it('an older version, on any channel', async () => {
    feed.publish({ version: '1.2.2' })
    feed.publish({ version: '1.2.3-beta.9', channel: 'beta' })
    await refused('update.newest')
    const beta = await refused('update.newest', { updates: { channel: 'beta' } })
    // electron-updater turns this on when it is given a channel.
    expect(beta.installed.updater.allowDowngrade).toBe(false)
    expect(filesAsked()).toEqual([])
  })

  it('the same version with another content', async () => {
    feed.publish({ version: CURRENT })
    await refused('update.newest')
    feed.publish({ version: '1.3.0' })
    await refused('update.changed', { memory: { seen: { version: '1.3.0', sha512: 'of another day' } } })
    expect(filesAsked()).toEqual([])
  })

  it('a file with the wrong hash', async () => {
    feed.publish({ version: '1.3.0', sha512: `${'A'.repeat(86)}==` })
    await refused('update.download-failed')
  })

  it('a file that was cut short', async () => {
    const { name, content } = feed.publish({ version: '1.3.0' })
    feed.answers.set(`/feed/${name}`, { body: content, cutAfter: 1_000 })
    await refused('update.download-failed')
    feed.answers.set(`/feed/${name}`, { body: content.subarray(0, 1_000) })
    await refused('update.download-failed')
  })

  it.each([
    '../tirami-host-1.3.0-linux-x64.AppImage',
    '..\\tirami-host-1.3.0-linux-x64.AppImage',
    '%2e%2e/tirami-host-1.3.0-linux-x64.AppImage',
    '..%2ftirami-host-1.3.0-linux-x64.AppImage',
    '/etc/tirami-host-1.3.0-linux-x64.AppImage',
    'C:tirami-host-1.3.0-linux-x64.AppImage',
    'tirami-host-1.3.0-linux-x64.AppImage:stream.AppImage',
    'https://elsewhere.invalid/tirami-host-1.3.0-linux-x64.AppImage',
    '//elsewhere.invalid/tirami-host-1.3.0-linux-x64.AppImage',
    'a/tirami-host-1.3.0-linux-x64.AppImage',
    'tirami-host-1.3.0-linux-x64.AppImage?x=.AppImage',
    'tirami-host-1.3.0-linux-x64\u0000.AppImage',
    '.tirami-host-1.3.0-linux-x64.AppImage',
  ])('the file name %j', async (name) => {
    feed.publish({ version: '1.3.0', name })
    const { installed } = await refused('update.malformed')
    expect(filesAsked()).toEqual([])
    expect(installed.everything().filter((path) => path.includes('1.3.0'))).toEqual([])
  })

  it.each(['tirami-host-1.3.0-linux-x64.sh', 'tirami-host-1.2.9-linux-x64.AppImage', 'evil.AppImage'])(
    'the file %s, which does not belong to the version',
    async (name) => {
      feed.publish({ version: '1.3.0', name })
      await refused('update.foreign-file')
    },
  )

  it.each<[string, object]>([
    ['no size', { files: [{ url: 'tirami-host-1.3.0-linux-x64.AppImage', sha512: `${'A'.repeat(86)}==` }] }],
    ['no hash', { files: [{ url: 'tirami-host-1.3.0-linux-x64.AppImage', size: 1 }] }],
    ['no files', { files: [] }],
    ['an odd share of the roll-out', { stagingPercentage: 'all of them' }],
    ['packages of a web installer', { packages: { x64: { path: '../x.7z', size: 1, sha512: 'x' } } }],
    ['a version that is not ours', { version: '1.3.0-alpha.1' }],
  ])('a channel file with %s', async (_name, more) => {
    feed.publish({ version: '1.3.0', more })
    await refused('update.malformed')
    expect(filesAsked()).toEqual([])
  })

  it('a channel file that is none, or that is not there', async () => {
    await refused('update.check-failed')
    const suffix = process.arch === 'x64' ? '' : `-${process.arch}`
    const path = `/feed/latest-linux${suffix}.yml`
    for (const body of ['', 'null', '- 1', 'version: [', '<html>']) {
      feed.answers.set(path, { body })
      await refused('update.check-failed')
    }
    feed.answers.set(path, { status: 500, body: 'no' })
    await refused('update.check-failed')
  })

  it('a test version on the stable channel', async () => {
    feed.publish({ version: '1.3.0-beta.1' })
    await refused('update.wrong-channel')
    feed.publish({ version: '1.3.0-beta.1', channel: 'beta' })
    const { desk } = app({ updates: { channel: 'beta' } })
    await desk.check()
    expect(desk.view()).toMatchObject({ state: 'ready', version: '1.3.0-beta.1' })
    desk.close()
  })

  it('a version that did not start here before', async () => {
    feed.publish({ version: '1.3.0' })
    await refused('update.broken', { memory: { brokenVersion: '1.3.0' } })
    expect(filesAsked()).toEqual([])
  })

  it('anything while updates are turned off', async () => {
    feed.publish({ version: '1.3.0' })
    vi.useFakeTimers()
    const { desk } = app({ updates: { enabled: false } })
    desk.start()
    await vi.advanceTimersByTimeAsync(7 * 24 * 3_600_000)
    vi.useRealTimers()
    expect(feed.asked).toEqual([])
    expect(desk.view()).toMatchObject({ state: 'off', saying: { code: 'update.off' } })
    desk.close()
  })
})

describe('a staged release', () => {
  it('reaches nobody at 0 %, everybody at 100 %, and each machine always alike', async () => {
    feed.publish({ version: '1.3.0', more: { stagingPercentage: 0 } })
    await refused('update.newest')
    feed.publish({ version: '1.3.0', more: { stagingPercentage: 100 } })
    const { desk } = app()
    await desk.check()
    expect(desk.view().state).toBe('ready')
    desk.close()

    const check = async (installed: TestInstallation) => {
      const engine = guardedEngine(installed.updater, feedAt(url) ?? { url, hosts: new Set() })
      return (await engine.check('stable')) !== null
    }
    const machines = Array.from({ length: 40 }, () => installation(CURRENT))
    const reached: number[] = []
    for (const stagingPercentage of [25, 50, 75]) {
      feed.publish({ version: '1.3.0', more: { stagingPercentage } })
      const got = await Promise.all(machines.map(check))
      expect(await Promise.all(machines.map(check))).toEqual(got)
      reached.push(got.filter(Boolean).length)
    }
    // A machine that has a release keeps it when more get it.
    expect(reached).toEqual([...reached].sort((a, b) => a - b))
    expect(reached[2]).toBeGreaterThan(reached[0] ?? 0)
  })
})

describe('the way to the feed', () => {
  it.each([
    'http://updates.example/feed/',
    'ftp://updates.example/',
    'file:///tmp/feed/',
    'https://me:secret@updates.example/',
    'https://updates.example/feed?x=1',
    'updates.example',
    '',
  ])('may not be %j', (at) => expect(feedAt(at)).toBeNull())

  it('leads to no other host and over no plain http, not even by a redirect', async () => {
    const reached: string[] = []
    const plain = createServer((incoming, response) => {
      reached.push(incoming.url ?? '')
      response.end()
    })
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
    const other = new TestFeed()
    const otherUrl = await other.open()
    const plainUrl = `http://localhost:${(plain.address() as AddressInfo).port}/`
    const { name } = feed.publish({ version: '1.3.0' })
    const file = `/feed/${name}`
    for (const location of [
      plainUrl,
      otherUrl,
      url.replace('https', 'http'),
      'file:///etc/passwd',
      'http://[',
    ]) {
      feed.answers.set(file, { status: 302, headers: { location } })
      await refused('update.download-failed')
    }
    const suffix = process.arch === 'x64' ? '' : `-${process.arch}`
    feed.answers.set(`/feed/latest-linux${suffix}.yml`, { status: 302, headers: { location: plainUrl } })
    await refused('update.check-failed')
    expect(reached).toEqual([])
    expect(other.asked).toEqual([])
    await other.close()
    await new Promise((resolve) => plain.close(resolve))
  })

  it('may be redirected within the feed, but not for ever', async () => {
    const { name, content } = feed.publish({ version: '1.3.0' })
    feed.answers.set('/elsewhere', { body: content })
    feed.answers.set(`/feed/${name}`, { status: 302, headers: { location: '/elsewhere' } })
    const { desk } = app()
    await desk.check()
    expect(desk.view().state).toBe('ready')
    desk.close()
    feed.answers.set(`/feed/${name}`, { status: 302, headers: { location: `/feed/${name}` } })
    await refused('update.download-failed')
    expect(feed.asked.length).toBeLessThan(40)
  })

  it('is not taken with a certificate that nobody vouches for', async () => {
    feed.publish({ version: '1.3.0' })
    const { desk } = await refused('update.check-failed', { trustsFeed: false })
    expect(desk.view().saying.sentence).toContain('self-signed')
  })
})
