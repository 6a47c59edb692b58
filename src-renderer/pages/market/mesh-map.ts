import type { MeshPeer, MeshView } from '../../../src-preload/contract/index.ts'

interface Spot {
  x: number
  y: number
}

export interface MapHost extends Spot {
  peer: MeshPeer
}

export interface MapLine {
  key: string
  from: Spot
  to: Spot
  /** Trades that it stands for. */
  trades: number
}

/** The picture of the mesh: this host in the middle, the others around it on ellipses, connected ones inside. */
export interface MeshMap {
  centre: Spot
  hosts: MapHost[]
  /** Radius of a host's dot, in pixels. */
  dot: number
  /** There is room for names. */
  named: boolean
  /** From this host to those that it is connected with. */
  connections: MapLine[]
  /** Between other hosts that trade with each other. */
  trades: MapLine[]
  /** Hosts that are not drawn. */
  left: number
}

const HOSTS_MAX = 210
/** The innermost ellipse holds so many, and each one further out as many more. */
const PER_RING = 10
const NAMED_MAX = 12
/** With more hosts than these only those that were traded with have a line: two hundred lines are a hedgehog. */
const LINES_FOR_ALL = 40
const LINES_MAX = 12
const TRADE_LINES_MAX = 12
/** So few stay near. */
const FEW = 3
/** Room for the dot and the name of a host at the edge. */
const MARGIN = { x: 44, y: 36 }

/** The same hosts in the same state lie at the same places. @param width @param height of the picture, in pixels */
export function mapOf(
  { peers, links, peersKnown }: Pick<MeshView, 'peers' | 'links' | 'peersKnown'>,
  width: number,
  height: number,
): MeshMap {
  const centre = { x: width / 2, y: height / 2 }
  const drawn = [...peers].sort(connectedFirst).slice(0, HOSTS_MAX)
  const rings = ringSizes(drawn.length)
  const reach = drawn.length <= FEW ? 0.55 : 1
  const radius = { x: Math.max(40, (centre.x - MARGIN.x) * reach), y: Math.max(40, centre.y - MARGIN.y) }
  const hosts = rings.flatMap((size, ring) => {
    const first = rings.slice(0, ring).reduce((sum, inner) => sum + inner, 0)
    const scale = 0.28 + (0.72 * (ring + 1)) / rings.length
    const start = ring * 2.4 - (size === 1 ? 0 : Math.PI / 2)
    return drawn.slice(first, first + size).map((peer, index) => {
      const angle = start + (index / size) * 2 * Math.PI
      return {
        peer,
        x: centre.x + Math.cos(angle) * radius.x * scale,
        y: centre.y + Math.sin(angle) * radius.y * scale,
      }
    })
  })
  const spots = new Map(hosts.map((host) => [host.peer.nodeId, host]))
  return {
    centre,
    hosts,
    dot: drawn.length <= NAMED_MAX ? 12 : drawn.length <= 40 ? 8 : drawn.length <= 100 ? 6 : 4.5,
    named: drawn.length <= NAMED_MAX,
    connections: connectionsOf(hosts, centre),
    trades: links.slice(0, TRADE_LINES_MAX).flatMap(({ a, b, trades }) => {
      const [from, to] = [spots.get(a), spots.get(b)]
      return from && to ? [{ key: `${a} ${b}`, from, to, trades }] : []
    }),
    left: Math.max(peersKnown, peers.length) - drawn.length,
  }
}

function connectionsOf(hosts: readonly MapHost[], centre: Spot): MapLine[] {
  const connected = hosts.filter(({ peer }) => peer.connected)
  const shown =
    hosts.length <= LINES_FOR_ALL
      ? connected
      : connected
          .filter(({ peer }) => peer.verifiedTrades > 0)
          .sort((a, b) => b.peer.verifiedTrades - a.peer.verifiedTrades)
          .slice(0, LINES_MAX)
  return shown.map((host) => ({
    key: host.peer.nodeId,
    from: centre,
    to: host,
    trades: host.peer.verifiedTrades,
  }))
}

/** Hosts on each ellipse, from the inside: as many ellipses as it takes, each as full as the others. */
function ringSizes(count: number): number[] {
  let rings = 1
  while ((PER_RING * rings * (rings + 1)) / 2 < count) rings++
  const capacity = (rings * (rings + 1)) / 2
  const sizes = Array.from({ length: rings }, (_, ring) => Math.floor((count * (ring + 1)) / capacity))
  const rest = count - sizes.reduce((sum, size) => sum + size, 0)
  return sizes.map((size, ring) => size + (ring >= rings - rest ? 1 : 0))
}

const connectedFirst = (a: MeshPeer, b: MeshPeer) =>
  Number(b.connected) - Number(a.connected) || (a.nodeId < b.nodeId ? -1 : 1)
