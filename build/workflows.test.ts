import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseDocument } from 'yaml'
import packageJson from '../package.json' with { type: 'json' }

const root = join(import.meta.dirname, '..')
const folder = join(root, '.github/workflows')
const names = readdirSync(folder)

interface Step {
  name?: string
  uses?: string
  run?: string
  env?: Record<string, string>
  with?: Record<string, string>
}
interface Job {
  'runs-on': string
  needs?: string
  permissions?: Record<string, string>
  'timeout-minutes'?: number
  strategy?: { matrix: { os?: string[]; include?: { os: string; platform: string }[] } }
  steps: Step[]
}
interface Workflow {
  permissions?: Record<string, string>
  jobs: Record<string, Job>
}
const workflows = names.map((name) => ({
  name,
  text: readFileSync(join(folder, name), 'utf8'),
  content: parse(readFileSync(join(folder, name), 'utf8')) as Workflow,
}))
const jobs = workflows.flatMap(({ name, content }) =>
  Object.entries(content.jobs).map(([job, is]) => ({ at: `${name} ${job}`, job: is })),
)
const steps = jobs.flatMap(({ at, job }) => job.steps.map((step) => ({ at, step })))
const jobOf = (workflow: string, name: string): Job => {
  const job = workflows.find((each) => each.name === workflow)?.content.jobs[name]
  if (job === undefined) throw new Error(`no job ${name} in ${workflow}`)
  return job
}

describe('the workflows', () => {
  it.each(workflows)('$name is YAML without a mistake', ({ text }) => {
    const document = parseDocument(text, { strict: true, uniqueKeys: true })
    expect([document.errors, document.warnings]).toEqual([[], []])
  })

  it('may read the repository and no more, but where they publish', () => {
    for (const { content } of workflows) expect(content.permissions).toEqual({ contents: 'read' })
    const more = jobs.flatMap(({ at, job }) => (job.permissions === undefined ? [] : [[at, job.permissions]]))
    expect(more).toEqual([
      ['release.yml publish', { contents: 'write' }],
      ['release.yml stage', { contents: 'write' }],
    ])
  })

  it('run foreign code only by the hash of its content, and end some time', () => {
    for (const { at, step } of steps) {
      if (step.uses !== undefined)
        expect([at, step.uses]).toEqual([at, expect.stringMatching(/^actions\/[a-z-]+@[0-9a-f]{40}$/)])
      if (step.uses?.startsWith('actions/checkout@'))
        expect(step.with).toMatchObject({ 'persist-credentials': false })
    }
    for (const { job } of jobs) expect(job['timeout-minutes']).toBeGreaterThan(0)
  })

  it('put nothing into a shell line that somebody outside may have written', () => {
    for (const { step } of steps) {
      for (const [, expression = ''] of (step.run ?? '').matchAll(/\$\{\{\s*(.*?)\s*\}\}/g)) {
        expect(expression).toMatch(/^matrix\.[a-z]+$/)
      }
    }
  })

  it('call scripts that exist, by their names', () => {
    const called = steps.flatMap(({ step }) =>
      [...(step.run ?? '').matchAll(/npm (?:run )?([a-z][a-z:]*)/g)].map((match) => match[1] ?? ''),
    )
    const scripts = called.filter((name) => !['ci', 'install'].includes(name))
    expect(scripts).toEqual(expect.arrayContaining(['test', 'package', 'release:stage', 'release:fuses']))
    for (const name of scripts) expect(Object.keys(packageJson.scripts)).toContain(name)
    const files = steps.flatMap(({ step }) =>
      [...(step.run ?? '').matchAll(/node ((?:build|node_modules)\/\S+)/g)].map((match) => match[1] ?? ''),
    )
    expect(files.length).toBeGreaterThan(1)
    for (const file of files) expect([file, existsSync(join(root, file))]).toEqual([file, true])
  })

  it('test on the three systems, with the binaries that the tests need', () => {
    const test = jobOf('test.yml', 'test')
    expect(test.strategy?.matrix.os?.map((os) => os.split('-')[0])).toEqual(['ubuntu', 'macos', 'windows'])
    const lines = test.steps.map(({ run }) => run ?? '').join('\n')
    expect(lines).toContain('playwright install')
    expect(lines).toContain('electron/install.js')
    expect(lines).toContain('xvfb-run')
  })

  it('give secrets to the step that signs and to no other, and publish nothing from it', () => {
    const holders = steps.filter(({ step }) => JSON.stringify(step.env ?? {}).includes('secrets.'))
    expect(holders.map(({ step }) => step.name)).toEqual(['Package'])
    expect(holders[0]?.step.run).toContain('--publish never')
    for (const { text } of workflows) expect(text).not.toMatch(/pull_request_target|secrets: inherit/)
  })

  it('begin a release with a small share, and upload channel files after what they name', () => {
    const lines = jobOf('release.yml', 'publish')
      .steps.map(({ run }) => run ?? '')
      .join('\n')
    const at = (text: string) => {
      expect(lines).toContain(text)
      return lines.indexOf(text)
    }
    const order = [
      'release:stage -- 10',
      'gh release create "$GITHUB_REF_NAME"',
      'upload feed packages/tirami-host-*',
      'upload feed packages/*.yml',
    ].map(at)
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(jobOf('release.yml', 'publish').needs).toBe('build')
  })
})

describe('npm run release:stage', () => {
  const stage = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, 'build/scripts/stage-release.mjs'), ...args], {
      encoding: 'utf8',
    })
  const channelFile = () => {
    const path = join(mkdtempSync(join(tmpdir(), 'tirami-stage-')), 'latest.yml')
    writeFileSync(path, 'version: 1.3.0 # a comment\nfiles:\n  - url: a\n    sha512: b\n    size: 1\n')
    return path
  }
  it('writes the share into the channel files and leaves the rest', () => {
    const path = channelFile()
    expect(stage('25', path).status).toBe(0)
    expect(stage('50', path).status).toBe(0)
    const text = readFileSync(path, 'utf8')
    expect(parse(text)).toEqual({
      version: '1.3.0',
      files: [{ url: 'a', sha512: 'b', size: 1 }],
      stagingPercentage: 50,
    })
    expect(text).toContain('# a comment')
  })
  it.each([['101'], ['-1'], ['ten'], ['1e1'], ['']])('refuses %j percent', (percent) => {
    const path = channelFile()
    const before = readFileSync(path, 'utf8')
    expect(stage(percent, path).status).toBe(2)
    expect(readFileSync(path, 'utf8')).toBe(before)
  })
  it('refuses what is no channel file', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'tirami-stage-')), 'x.yml')
    writeFileSync(path, 'a: 1\n')
    expect(stage('10', path).status).toBe(1)
  })
})
