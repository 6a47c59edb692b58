import type { ReactNode } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import { Download, type OfferedModel } from '../../../src-preload/contract/index.ts'
import { StoresProvider } from '../../stores/context.tsx'
import { createStores } from '../../stores/index.ts'
import { FakeClient } from '../../testing/fake-client.ts'
import { gib, sampleDownload, sampleInstalled, sampleOffer } from '../../testing/samples.ts'
import { CataloguePanel } from './CataloguePanel.tsx'
import { familiesOf, matching } from './catalogue-filter.ts'
import { DownloadsPanel } from './DownloadsPanel.tsx'
import { InstalledPanel } from './InstalledPanel.tsx'

const markup = (children: ReactNode) =>
  renderToStaticMarkup(<StoresProvider stores={createStores(new FakeClient())}>{children}</StoresProvider>)
/** What a reader sees, without tags. */
const words = (children: ReactNode) =>
  markup(children)
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ')

describe('what is on this machine', () => {
  it.each([
    ['fits', 'Fits'],
    ['squeezed', 'Fits with less'],
    ['too-large', 'Too large'],
    ['unknown', 'Fit not known'],
  ] as const)('says in words that a model is %s', (verdict, text) => {
    const fit = {
      verdict,
      needBytes: gib(1.5),
      sentence: 'Because of this.',
      code: 'cpu',
      params: {},
    } as const
    const seen = words(<InstalledPanel installed={[sampleInstalled({ fit })]} />)
    expect(seen).toContain(text)
    expect(seen).toContain('Because of this.')
  })

  it.each([
    ['catalogue', 'checksum known'],
    ['owner', 'checksum known'],
    ['server', 'checksum from the server'],
    [null, 'your own file'],
  ] as const)('says who vouches for a file: %s', (hashOrigin, text) => {
    expect(words(<InstalledPanel installed={[sampleInstalled({ hashOrigin })]} />)).toContain(text)
  })

  it('offers nothing that cannot be: loading a broken file, deleting what ships or what is served', () => {
    const error = { code: 'MODEL_FILE_INVALID', message: 'It is damaged.', nextStep: 'Fetch it again.' }
    const broken = words(<InstalledPanel installed={[sampleInstalled({ error })]} />)
    expect(broken).toContain('It is damaged. Fetch it again.')
    expect(broken).not.toMatch(/ Load /)
    expect(broken).toMatch(/ Delete /)
    expect(words(<InstalledPanel installed={[sampleInstalled({ chosen: true })]} />)).not.toMatch(/ Delete /)
    expect(words(<InstalledPanel installed={[sampleInstalled({ embedded: true })]} />)).not.toMatch(
      / Delete /,
    )
  })

  it('says what to do when nothing is there', () => {
    expect(words(<InstalledPanel installed={[]} />)).toContain('Download one from the catalogue')
  })
})

describe('downloads', () => {
  it('tells every state apart in words', () => {
    const seen = Download.shape.state.options.map((state) => {
      const html = markup(<DownloadsPanel downloads={[sampleDownload({ state })]} />)
      return html.match(/role="status">([^<]+)</)?.[1]
    })
    expect(seen.every((text) => text !== undefined)).toBe(true)
    expect(new Set(seen).size).toBe(seen.length)
  })

  it('says how far it is, how fast and how long, with a bar that a screen reader can read', () => {
    const html = markup(<DownloadsPanel downloads={[sampleDownload({ attempt: 2 })]} />)
    expect(html).toContain('402 MB of 1.11 GB · 36 % · 12.4 MB/s · 58 s left · attempt 2 · checksum known')
    expect(html).toMatch(/<progress[^>]*aria-label="Progress of qwen2.5:1.5b-q4_k_m"[^>]*value="36"/)
  })

  it('claims no speed for one that does not run, and no share of a size that nobody knows', () => {
    const paused = words(<DownloadsPanel downloads={[sampleDownload({ state: 'paused' })]} />)
    expect(paused).not.toMatch(/\/s|left/)
    const html = markup(
      <DownloadsPanel downloads={[sampleDownload({ sizeBytes: null, secondsLeft: null })]} />,
    )
    expect(html).not.toMatch(/ %|value=/)
  })

  it('is full only when everything has come', () => {
    const html = markup(<DownloadsPanel downloads={[sampleDownload({ sizeBytes: 1000, doneBytes: 999 })]} />)
    expect(html).toContain('value="99"')
  })

  it('gives the reason and the next step', () => {
    const error = { code: 'DOWNLOAD_HASH_MISMATCH', message: 'Not this file.', nextStep: 'Do not trust it.' }
    const seen = words(<DownloadsPanel downloads={[sampleDownload({ state: 'quarantined', error })]} />)
    expect(seen).toContain('Not this file. Do not trust it.')
  })
})

describe('the catalogue', () => {
  const small = sampleOffer()
  const research = sampleOffer({ id: 'qwen2.5:3b-q4_k_m', license: 'LicenseRef-Qwen-Research' })
  const huge = sampleOffer({
    id: 'gpt-oss:120b-mxfp4',
    family: 'gpt-oss',
    publisher: 'OpenAI',
    name: 'gpt-oss 120B',
    quantisation: 'MXFP4',
    fit: { verdict: 'too-large', needBytes: gib(60), sentence: 'Too much.', code: 'too-large', params: {} },
  })
  const offered: OfferedModel[] = [small, huge, research]
  const ids = (models: OfferedModel[]) => models.map(({ id }) => id)

  it('filters by all words, in any order and case, and by what fits', () => {
    expect(matching(offered, { text: '', fittingOnly: false })).toEqual(offered)
    expect(ids(matching(offered, { text: 'OPENAI mxfp4', fittingOnly: false }))).toEqual([huge.id])
    expect(ids(matching(offered, { text: 'research', fittingOnly: false }))).toEqual([research.id])
    expect(matching(offered, { text: 'qwen openai', fittingOnly: false })).toEqual([])
    expect(ids(matching(offered, { text: ' ', fittingOnly: true }))).toEqual([small.id, research.id])
  })

  it('keeps families together and loses no model', () => {
    const families = familiesOf(offered)
    expect(families.map(({ family }) => family)).toEqual(['qwen2.5', 'gpt-oss'])
    expect(families.flatMap(({ models }) => models)).toHaveLength(offered.length)
  })

  it('links each licence safely and marks those with terms of their own', () => {
    const html = markup(<CataloguePanel offered={[research]} downloads={[]} />)
    expect(html).toMatch(/<a [^>]*href="https:[^"]+"[^>]*target="_blank"[^>]*rel="noopener noreferrer"/)
    expect(html).toContain('terms of its own')
    expect(words(<CataloguePanel offered={[small]} downloads={[]} />)).not.toContain('terms of its own')
  })

  it('offers no second download of what is here or on its way', () => {
    const here = sampleOffer({ installed: true })
    expect(words(<CataloguePanel offered={[here]} downloads={[]} />)).toContain('On this machine')
    const coming = <CataloguePanel offered={[small]} downloads={[sampleDownload({ modelId: small.id })]} />
    expect(markup(coming)).not.toContain('aria-label="Download ')
  })
})
