import { describe, expect, it } from 'vitest'
import { anchorScript } from './index.ts'

const root = '7353d0ba16733048ded431cbb3066547f8e5e3d907f66dac9fda332daec69fb6'

describe('anchor payload (vectors V2)', () => {
  it('V2.1', () => {
    const published = '8edd724d48ce205d49ac42d683c4a624fdffe80936d5c184c5dd225579a673e8'
    expect(anchorScript(published, 'testnet')).toEqual({
      payloadHex: `4652474501010000${published}`,
      scriptHex: `6a284652474501010000${published}`,
    })
  })

  it.each([
    ['mainnet', '00'],
    ['bitcoin', '00'],
    ['testnet', '01'],
    ['signet', '02'],
    ['regtest', '03'],
  ] as const)('V2.2, V2.3 %s', (network, byte) => {
    const { payloadHex, scriptHex } = anchorScript(root, network)
    expect(payloadHex).toBe(`4652474501${byte}0000${root}`)
    expect(scriptHex).toBe(`6a28${payloadHex}`)
    expect(payloadHex).toHaveLength(80)
  })

  it('V2.3 the empty log', () => {
    expect(anchorScript('00'.repeat(32), 'testnet').scriptHex).toBe(`6a284652474501010000${'00'.repeat(32)}`)
  })
})
