import { type KeyboardEvent, useMemo, useRef, useState } from 'react'
import type { MeshPeer, MeshView } from '../../../src-preload/contract/index.ts'
import { formatNumber } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { Card } from '../../widgets/index.ts'
import { useWidth } from '../use-width.ts'
import { type MapHost, type MapLine, type MeshMap, mapOf } from './mesh-map.ts'
import { hostName, latencyWords } from './words.ts'

const HEIGHT = { least: 240, most: 380, perWidth: 0.4 }
/** How near a pointer has to be, in pixels. */
const REACH_PX = 24

/** Who is there. The table of hosts says the same in words; arrow keys go from host to host here, too. */
export function MapPanel({ view, onOpen }: { view: MeshView; onOpen: (peer: MeshPeer) => void }) {
  const { t } = useTranslation('market')
  const frame = useRef<HTMLElement>(null)
  const width = useWidth(frame)
  const height = Math.round(Math.min(HEIGHT.most, Math.max(HEIGHT.least, width * HEIGHT.perWidth)))
  const map = useMemo(() => mapOf(view, width, height), [view, width, height])
  const [at, setAt] = useState<string | null>(null)
  const position = map.hosts.findIndex(({ peer }) => peer.nodeId === at)
  const shown = map.hosts[position]?.peer ?? null
  const connected = view.peers.filter((peer) => peer.connected).length
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
    if (event.key === 'Escape') setAt(null)
    if (event.key === 'Enter' && shown !== null) onOpen(shown)
    if (step === undefined) return
    event.preventDefault()
    const count = map.hosts.length
    const next = position === -1 ? (step === 1 ? 0 : count - 1) : (position + step + count) % count
    setAt(map.hosts[next]?.peer.nodeId ?? null)
  }
  return (
    <Card
      id="market-map"
      title={t('map.title')}
      aside={
        <p className="muted figures market__count">
          {t('map.count', { connected: formatNumber(connected), known: formatNumber(view.peersKnown) })}
        </p>
      }
    >
      <figure className="mesh-map">
        <section
          ref={frame}
          className="mesh-map__frame"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys read it host by host
          tabIndex={0}
          aria-label={t('map.picture', {
            connected: formatNumber(connected),
            known: formatNumber(view.peersKnown),
          })}
          aria-describedby="mesh-map-words"
          onKeyDown={move}
          onBlur={() => setAt(null)}
        >
          <Picture map={map} width={width} height={height} at={at} onPoint={setAt} onOpen={onOpen} />
        </section>
        <figcaption className="mesh-map__caption">
          <p id="mesh-map-words" aria-live="polite">
            {shown === null ? <Summary view={view} map={map} /> : <PeerWords peer={shown} />}
          </p>
          <Legend />
        </figcaption>
      </figure>
    </Card>
  )
}

interface PictureProps {
  map: MeshMap
  width: number
  height: number
  at: string | null
  onPoint: (nodeId: string | null) => void
  onOpen: (peer: MeshPeer) => void
}

function Picture({ map, width, height, at, onPoint, onOpen }: PictureProps) {
  const { t } = useTranslation('market')
  const near = (clientX: number, clientY: number, box: DOMRect): MapHost | null => {
    const [x, y] = [clientX - box.left, clientY - box.top]
    const distance = (host: MapHost) => Math.hypot(host.x - x, host.y - y)
    const [closest = null] = [...map.hosts].sort((a, b) => distance(a) - distance(b))
    return closest !== null && distance(closest) <= REACH_PX ? closest : null
  }
  return (
    <svg
      width={width}
      height={height}
      aria-hidden="true"
      onPointerLeave={() => onPoint(null)}
      onPointerMove={({ clientX, clientY, currentTarget }) =>
        onPoint(near(clientX, clientY, currentTarget.getBoundingClientRect())?.peer.nodeId ?? null)
      }
      onClick={({ clientX, clientY, currentTarget }) => {
        const host = near(clientX, clientY, currentTarget.getBoundingClientRect())
        if (host !== null) onOpen(host.peer)
      }}
    >
      {map.trades.map((line) => (
        <path key={line.key} className="mesh-map__trade" d={bowed(line, map.centre)} />
      ))}
      {map.connections.map((line) => (
        <line
          key={line.key}
          className="mesh-map__line"
          data-traded={line.trades > 0}
          x1={line.from.x}
          y1={line.from.y}
          x2={line.to.x}
          y2={line.to.y}
          strokeWidth={1.25 + Math.min(map.named ? 3 : 1, Math.log10(1 + line.trades) * 1.5)}
        />
      ))}
      {map.hosts.map(({ peer, x, y }) => (
        <g key={peer.nodeId}>
          {peer.nodeId === at ? <circle className="mesh-map__at" cx={x} cy={y} r={map.dot + 5} /> : null}
          <circle className={`mesh-map__host mesh-map__host--${kindOf(peer)}`} cx={x} cy={y} r={map.dot} />
          {map.named ? (
            <text className="mesh-map__name" x={x} y={y + map.dot + 15} textAnchor="middle">
              {peer.nodeId.slice(0, 6)}
            </text>
          ) : null}
        </g>
      ))}
      <circle className="mesh-map__self" cx={map.centre.x} cy={map.centre.y} r={15} />
      <text className="mesh-map__me" x={map.centre.x} y={map.centre.y + 32} textAnchor="middle">
        {t('me')}
      </text>
    </svg>
  )
}

type Kind = 'serving' | 'idle' | 'heard'

const kindOf = ({ connected, models }: MeshPeer): Kind =>
  !connected ? 'heard' : models.length > 0 ? 'serving' : 'idle'

/** Bent a little towards the middle, so that it is not taken for a connection of this host. */
function bowed({ from, to }: MapLine, centre: { x: number; y: number }): string {
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 }
  const bend = { x: middle.x + (centre.x - middle.x) * 0.35, y: middle.y + (centre.y - middle.y) * 0.35 }
  return `M${from.x} ${from.y}Q${bend.x} ${bend.y} ${to.x} ${to.y}`
}

function Summary({ view, map }: { view: MeshView; map: MeshMap }) {
  const { t } = useTranslation('market')
  const models = new Set(view.peers.flatMap((peer) => peer.models.map(({ id }) => id))).size
  return (
    <>
      {t('map.summary', { count: models })} {map.left > 0 ? t('map.left', { count: map.left }) : null}
    </>
  )
}

function PeerWords({ peer }: { peer: MeshPeer }) {
  const { t } = useTranslation('market')
  const models = peer.models.map(({ id }) => id).join(', ')
  return (
    <>
      <strong>{hostName(peer.nodeId)}</strong> · {models === '' ? t('map.servesNone') : models} ·{' '}
      {t('map.firstWord', { latency: latencyWords(peer.latencyMs) })} ·{' '}
      {t('tradesTogether', { count: peer.verifiedTrades })}
    </>
  )
}

function Legend() {
  const { t } = useTranslation('market')
  const kinds: Kind[] = ['serving', 'idle', 'heard']
  return (
    <ul className="mesh-map__legend">
      {kinds.map((kind) => (
        <li key={kind}>
          <svg width={14} height={14} aria-hidden="true">
            <circle className={`mesh-map__host mesh-map__host--${kind}`} cx={7} cy={7} r={5} />
          </svg>
          {t(`map.kinds.${kind}`)}
        </li>
      ))}
      <li>
        <svg width={22} height={14} aria-hidden="true">
          <path className="mesh-map__trade" d="M1 11Q11 1 21 11" />
        </svg>
        {t('map.othersTrade')}
      </li>
    </ul>
  )
}
