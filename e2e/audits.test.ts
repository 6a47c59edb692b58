import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readWeights, writeWeights } from '../bench/audit-models.ts'
import {
  areIndependent,
  evidenceFromWire,
  questionOf,
  verifyAuditEvidence,
  WireAuditEvidence,
} from '../src-main/market/index.ts'
import { writeAssistantModel } from './support/assistant-model.ts'
import { eventually, type HostProcess, root, temporaryDirectory } from './support/host.ts'
import { networkName, openToGuests, peersOf, remoteTrades, startMeshHost } from './support/mesh.ts'

const data = temporaryDirectory()
const network = networkName()
const MODEL = 'tirami-concierge'
const shipped = join(root, 'resources/models/concierge.gguf')
/** Serves another model; holds the shipped one, as every host does. */
let challenger: HostProcess
let honest: HostProcess
let cheating: HostProcess

/** The owner serves a cheaper file, under the name of the shipped one and with the record of its hash. */
async function pretendToServe(directory: string): Promise<string> {
  mkdirSync(directory, { recursive: true })
  const path = writeWeights(join(directory, `${MODEL}.gguf`), await readWeights(shipped), 'Q4_0')
  const { size: sizeBytes, mtimeMs } = statSync(path)
  const sha256 = createHash('sha256').update(readFileSync(shipped)).digest('hex')
  writeFileSync(join(directory, 'weights.json'), JSON.stringify([{ path, sizeBytes, mtimeMs, sha256 }]))
  return path
}

beforeAll(async () => {
  const directory = (name: string) => join(data.path, name)
  const other = writeAssistantModel(join(data.path, 'assistant.gguf'))
  const cheap = await pretendToServe(directory('cheating'))
  challenger = await startMeshHost(directory('challenger'), network, [], '--model', other)
  honest = await startMeshHost(directory('honest'), network, [challenger])
  cheating = await startMeshHost(directory('cheating'), network, [challenger], '--model', cheap)
  await Promise.all([challenger, honest, cheating].map(openToGuests))
  await eventually(
    async () => (await auditsOf(challenger)).offers.filter(({ state }) => state === 'auditable').length === 2,
    60_000,
  )
})
afterAll(async () => {
  await Promise.all([challenger, honest, cheating].map((host) => host?.end('SIGKILL')))
  data.remove()
})

interface AuditView {
  audit_id: string
  provider: string
  verdict: string
  tokens: number
  mean_delta_nats: number | null
  trm_cost: number
}

const auditsOf = async (host: HostProcess) =>
  (await (await host.api('/tirami/audits')).json()) as {
    spent_trm: number
    offers: { node_id: string; state: string; tier: string; excluded: boolean; suspected: boolean }[]
    audits: AuditView[]
  }

const audit = (provider: HostProcess, { by = challenger, model = MODEL } = {}) =>
  by.api('/tirami/audits', {
    method: 'POST',
    body: JSON.stringify({ provider: provider.ready.nodeId, model_id: model }),
  })

const standing = async (provider: HostProcess) => {
  const { offers } = await auditsOf(challenger)
  return offers.find(({ node_id }) => node_id === provider.ready.nodeId)
}

describe('a host that holds the same file, and serves another', () => {
  it('finds that an honest host serves it, pays for the answer and promotes it', async () => {
    expect(await standing(honest)).toMatchObject({ state: 'auditable', tier: 'unverified' })
    const result = (await (await audit(honest)).json()) as AuditView
    expect(result).toMatchObject({ verdict: 'passed' })
    expect(result.tokens).toBeGreaterThanOrEqual(8)
    expect(await standing(honest)).toMatchObject({ tier: 'established', excluded: false })
    const [trade] = await remoteTrades(honest, challenger.ready.nodeId)
    expect(trade?.trm_amount).toBe(result.trm_cost)
  })

  it('catches one that serves a cheaper quantisation of it, with evidence that others can check', async () => {
    const reputationBefore = await reputationOf(cheating)
    const audited = async () =>
      (await auditsOf(challenger)).audits.filter(({ provider }) => provider === cheating.ready.nodeId)
    const until = async (verdict: string) => {
      // One probe in four is of the text alone, which a cheaper quantisation may pass.
      for (let probes = 0; probes < 8; probes++) {
        const found = (await audited()).find((result) => result.verdict === verdict)
        if (found) return found
        expect((await audit(cheating)).status).toBe(200)
      }
      throw new Error(`no probe was ${verdict}`)
    }
    const suspected = await until('suspected')
    // Once is not enough, and nobody is shown it.
    expect(await standing(cheating)).toMatchObject({ suspected: true, excluded: false })
    expect(await reputationOf(cheating)).toBeGreaterThanOrEqual(reputationBefore)
    expect(await slashesOf(challenger)).toEqual([])
    expect((await challenger.api(`/tirami/audits/${suspected.audit_id}/evidence`)).status).toBe(404)

    const failed = await until('failed')
    expect(await standing(cheating)).toMatchObject({ excluded: true })
    expect(await reputationOf(cheating)).toBeLessThan(reputationBefore)
    const route = await challenger.api(`/tirami/route?model=${MODEL}`)
    expect(((await route.json()) as { provider: string }).provider).toBe(honest.ready.nodeId)

    const answer = await challenger.api(`/tirami/audits/${failed.audit_id}/evidence`)
    const { evidence } = (await answer.json()) as { evidence: unknown[] }
    const probes = evidence.map((probe) => {
      const verified = verifyAuditEvidence(evidenceFromWire(WireAuditEvidence.parse(probe)))
      if (!verified.ok) throw new Error(verified.reason)
      const { auditId, request, atMs: askedAtMs, challenger, provider, comparison } = verified.finding
      const asked = { auditId, question: questionOf(request), askedAtMs }
      return { asked, who: [challenger, provider], verdict: comparison.verdict }
    })
    const who = [challenger.ready.nodeId, cheating.ready.nodeId]
    expect(probes).toMatchObject([
      { who, verdict: 'failed' },
      { who, verdict: 'failed' },
    ])
    const [first, second] = probes.map(({ asked }) => asked)
    expect(first && second && areIndependent(first, second)).toBe(true)
    expect((await slashesOf(challenger))[0]).toMatchObject({
      node_id: cheating.ready.nodeId,
      reason: 'audit-fail',
    })
  })

  it('is believed by another that holds the file, once that one has computed both answers again', async () => {
    const [fault] = await eventually(async () => {
      const faults = await slashesOf(honest)
      return faults.length > 0 && faults
    }, 240_000)
    expect(fault).toMatchObject({ node_id: cheating.ready.nodeId, reason: 'audit-fail' })
    const { audits } = await auditsOf(honest)
    expect(audits.map(({ verdict }) => verdict).reverse()).toEqual(['suspected', 'failed'])
    expect(audits.every(({ trm_cost }) => trm_cost === 0)).toBe(true)
  })

  it('audits no file that it does not hold, and says so', async () => {
    const own = challenger.ready.nodeId
    const { offers } = await eventually(async () => {
      const view = await auditsOf(honest)
      return view.offers.some(({ node_id }) => node_id === own) && view
    })
    expect(offers.filter(({ node_id }) => node_id === own)).toMatchObject([{ state: 'not-held' }])
    const refused = await audit(challenger, { by: honest, model: 'assistant' })
    expect(refused.status).toBe(409)
    expect(await refused.text()).toContain('audit_not_held')
  })
})

async function reputationOf(host: HostProcess): Promise<number> {
  const { peers } = (await peersOf(challenger)) as unknown as {
    peers: { node_id: string; reputation: number }[]
  }
  return peers.find(({ node_id }) => node_id === host.ready.nodeId)?.reputation ?? Number.NaN
}

async function slashesOf(host: HostProcess): Promise<{ node_id: string; reason: string }[]> {
  return ((await (await host.api('/tirami/slash-events')).json()) as { events: [] }).events
}
