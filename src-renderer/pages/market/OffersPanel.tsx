import { Tags } from 'lucide-react'
import { useState } from 'react'
import type { MeshOffer, MeshPeer, MeshView } from '../../../src-preload/contract/index.ts'
import { groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { Badge, Card, EmptyState, Select } from '../../widgets/index.ts'
import { VirtualTable } from '../activity/VirtualTable.tsx'
import { hostName, latencyWords, priceWords, reputationWords } from './words.ts'

interface OfferRow {
  offer: MeshOffer
  /** Null: this host's own. */
  peer: MeshPeer | null
  priceMultiplier: number
  /** Of those that offer the model, and not the only one. */
  cheapest: boolean
}

/** Who serves what at which price: by model, the cheapest first. */
function rowsOf({ peers, standing }: MeshView): OfferRow[] {
  const own = standing.offers.map((offer) => ({
    offer,
    peer: null,
    priceMultiplier: standing.priceMultiplier,
  }))
  const others = peers.flatMap((peer) =>
    peer.models.map((offer) => ({ offer, peer, priceMultiplier: peer.priceMultiplier })),
  )
  const rows = [...own, ...others].sort(
    (a, b) =>
      a.offer.id.localeCompare(b.offer.id) ||
      compareTrm(a.offer.trmPer1000Tokens, b.offer.trmPer1000Tokens) ||
      (a.peer?.latencyMs ?? Number.MAX_VALUE) - (b.peer?.latencyMs ?? Number.MAX_VALUE),
  )
  return rows.map((row, index) => {
    const [before, after] = [rows[index - 1], rows[index + 1]]
    const isFirst = before?.offer.id !== row.offer.id
    const isDearerAfter =
      after?.offer.id === row.offer.id &&
      compareTrm(row.offer.trmPer1000Tokens, after.offer.trmPer1000Tokens) < 0
    return { ...row, cheapest: isFirst && isDearerAfter }
  })
}

const compareTrm = (a: string, b: string): number => Number(BigInt(a) - BigInt(b))

const ALL = ''

export function OffersPanel({ view, onOpen }: { view: MeshView; onOpen: (peer: MeshPeer) => void }) {
  const { t } = useTranslation('market')
  const [model, setModel] = useState(ALL)
  const rows = rowsOf(view)
  const models = [...new Set(rows.map(({ offer }) => offer.id))]
  const chosen = models.includes(model) ? model : ALL
  const shown = rows.filter(({ offer }) => chosen === ALL || offer.id === chosen)
  return (
    <Card
      id="market-offers"
      title={t('offers.title')}
      aside={
        models.length < 2 ? null : (
          <Select
            label={t('offers.model')}
            labelHidden
            options={[
              { value: ALL, label: t('offers.all', { count: models.length }) },
              ...models.map((id) => ({ value: id, label: id })),
            ]}
            value={chosen}
            onChange={setModel}
          />
        )
      }
    >
      {rows.length === 0 ? (
        <EmptyState icon={Tags} title={t('offers.none')}>
          {t('offers.noneText')}
        </EmptyState>
      ) : (
        <>
          <VirtualTable
            look="offers"
            label={t('offers.title')}
            columns={[
              { key: 'model', name: t('offers.model') },
              { key: 'host', name: t('offers.host') },
              { key: 'cost', name: t('offers.cost'), number: true },
              { key: 'price', name: t('offers.price'), number: true, wide: true },
              { key: 'latency', name: t('offers.latency'), number: true },
              { key: 'free', name: t('offers.free'), number: true, wide: true },
              { key: 'reputation', name: t('offers.reputation'), number: true },
            ]}
            rows={shown}
            keyOf={({ offer, peer }) => `${offer.id} ${peer?.nodeId ?? ''}`}
            total={shown.length}
            cells={({ offer, peer, priceMultiplier, cheapest }) => [
              <span key="model" title={offer.id}>
                {offer.id} {offer.demonstration ? <Badge>{t('offers.demonstration')}</Badge> : null}
              </span>,
              peer === null ? (
                <strong key="host">{t('me')}</strong>
              ) : (
                <button key="host" type="button" className="log__open" onClick={() => onOpen(peer)}>
                  {hostName(peer.nodeId)}
                </button>
              ),
              <span key="cost">
                {cheapest ? <Badge tone="earning">{t('offers.cheapest')}</Badge> : null}{' '}
                {groupDigits(offer.trmPer1000Tokens)}
              </span>,
              priceWords(priceMultiplier),
              peer === null ? '–' : latencyWords(peer.latencyMs),
              peer === null ? '–' : freeWords(peer),
              reputationWords(peer?.reputation ?? view.standing.reputation),
            ]}
          />
          <p className="muted market__hint">{t('offers.note')}</p>
        </>
      )}
    </Card>
  )
}

function freeWords({ load: { slots, running, queued } }: MeshPeer): string {
  return `${groupDigits(Math.max(0, slots - running - queued))} / ${groupDigits(slots)}`
}
