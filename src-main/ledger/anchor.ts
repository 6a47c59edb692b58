import { bytesFromHex, concatBytes, hexFromBytes, utf8 } from '../kernel/index.ts'

/** Networks of Bitcoin, and the byte that names each in the payload (spec section 5.9). */
const NETWORK_BYTES = { mainnet: 0x00, bitcoin: 0x00, testnet: 0x01, signet: 0x02, regtest: 0x03 } as const
export type AnchorNetwork = keyof typeof NETWORK_BYTES
export const ANCHOR_NETWORKS = Object.keys(NETWORK_BYTES) as AnchorNetwork[]

const MAGIC = utf8('FRGE')
const VERSION = 0x01
/** OP_RETURN, then a push of 40 bytes. */
const SCRIPT_HEAD = Uint8Array.of(0x6a, 0x28)

/**
 * What a Bitcoin transaction would carry to fix a Merkle root in time: "FRGE" ‖ version ‖ network ‖ 00 00 ‖ root, and
 * the OP_RETURN script around it. Bytes only: nothing is broadcast.
 * @param rootHex 32 bytes as hex
 */
export function anchorScript(
  rootHex: string,
  network: AnchorNetwork,
): { payloadHex: string; scriptHex: string } {
  const head = Uint8Array.of(VERSION, NETWORK_BYTES[network], 0, 0)
  const payload = concatBytes(MAGIC, head, bytesFromHex(rootHex))
  return { payloadHex: hexFromBytes(payload), scriptHex: hexFromBytes(concatBytes(SCRIPT_HEAD, payload)) }
}
