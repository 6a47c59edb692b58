import { describe, expect, it } from 'vitest'
import { samplePeer } from '../../testing/fake-mesh.ts'
import { mapOf } from './mesh-map.ts'

const SIZE = [1_040, 380] as const

describe('the picture of the mesh', () => {
  it.each([1, 2, 3, 8, 13, 60, 200])('of %i hosts has each at its own place, all of them inside', (count) => {
    const peers = Array.from({ length: count }, (_, index) => samplePeer(index + 1))
    const { hosts, dot, centre, left } = mapOf({ peers, links: [], peersKnown: count }, ...SIZE)
    expect(hosts).toHaveLength(count)
    expect(left).toBe(0)
    for (const [index, { x, y }] of hosts.entries()) {
      expect(x - dot).toBeGreaterThanOrEqual(0)
      expect(x + dot).toBeLessThanOrEqual(SIZE[0])
      expect(y - dot).toBeGreaterThanOrEqual(0)
      expect(y + dot).toBeLessThanOrEqual(SIZE[1])
      for (const other of [centre, ...hosts.slice(0, index)])
        expect(Math.hypot(other.x - x, other.y - y)).toBeGreaterThan(dot * 2)
    }
  })

  it('has a line to every host that is connected, and with many hosts to those that were traded with most', () => {
    const peers = Array.from({ length: 200 }, (_, index) => samplePeer(index + 1))
    const few = mapOf({ peers: peers.slice(0, 20), links: [], peersKnown: 20 }, ...SIZE)
    expect(few.connections).toHaveLength(peers.slice(0, 20).filter(({ connected }) => connected).length)
    const many = mapOf({ peers, links: [], peersKnown: 500 }, ...SIZE)
    expect(many.connections.length).toBeLessThanOrEqual(12)
    const least = Math.min(...many.connections.map(({ trades }) => trades))
    const drawn = new Set(many.connections.map(({ key }) => key))
    for (const { nodeId, connected, verifiedTrades } of peers)
      if (connected && !drawn.has(nodeId)) expect(verifiedTrades).toBeLessThanOrEqual(least)
    expect(many.left).toBe(300)
  })

  it('does not depend on the order in which hosts are told', () => {
    const peers = Array.from({ length: 30 }, (_, index) => samplePeer(index + 1))
    const view = { links: [], peersKnown: 30 }
    expect(mapOf({ ...view, peers: [...peers].reverse() }, ...SIZE)).toEqual(
      mapOf({ ...view, peers }, ...SIZE),
    )
  })
})
