import { bytesFromHex, concatBytes, hexFromBytes, sha256, u64le, utf8 } from '../kernel/index.ts'
import type { ProposalKind } from './governance-state.ts'

const PROPOSAL_ID_DOMAIN = utf8('tirami-proposal-id-v1')
// The zero byte ends the domain: no other signed layout of Tirami can begin like this.
const PROPOSAL_DOMAIN = utf8('tirami-governance-proposal-v1\0')
const VOTE_DOMAIN = utf8('tirami-governance-vote-v1\0')
const U64_MAX = (1n << 64n) - 1n

/** All that the proposer decides. Whoever has these can compute the id and the bytes to sign. */
export interface ProposalTerms {
  proposer: string
  /** The proposer's own counter: each proposal's is above the last. */
  sequence: number
  kind: ProposalKind
  createdAtMs: number
  deadlineMs: number
}

/** As Tirami's Rust node writes a floating-point number. */
const floatText = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value))

/** The kind as Tirami's Rust node serialises it: part of the proposal id (spec section 3.5). */
export function proposalKindJson(kind: ProposalKind): string {
  switch (kind.type) {
    case 'change_parameter':
      return `{"ChangeParameter":{"name":${JSON.stringify(kind.name)},"new_value":${floatText(kind.value)}}}`
    case 'emergency_pause':
      return '"EmergencyPause"'
    case 'protocol_upgrade':
      return `{"ProtocolUpgrade":{"description":${JSON.stringify(kind.description)}}}`
  }
}

/**
 * Decimal digits of a 64-bit id (spec section 3.5): the first 8 bytes, little-endian, of SHA-256(domain ‖ proposer ‖
 * sequence ‖ created ‖ kind). Above 2^53, so never a number.
 */
export function proposalId(terms: ProposalTerms): string {
  const digest = sha256(
    PROPOSAL_ID_DOMAIN,
    bytesFromHex(terms.proposer),
    u64le(BigInt(terms.sequence)),
    u64le(BigInt(terms.createdAtMs)),
    utf8(proposalKindJson(terms.kind)),
  )
  const id = new DataView(digest.buffer, digest.byteOffset).getBigUint64(0, true)
  return (id === U64_MAX ? 1n : id).toString()
}

/** What the proposer signs: domain ‖ proposer ‖ sequence ‖ created ‖ deadline ‖ kind; numbers as u64 little-endian. */
export function proposalBytes(terms: ProposalTerms): Uint8Array {
  return concatBytes(
    PROPOSAL_DOMAIN,
    bytesFromHex(terms.proposer),
    u64le(BigInt(terms.sequence)),
    u64le(BigInt(terms.createdAtMs)),
    u64le(BigInt(terms.deadlineMs)),
    utf8(proposalKindJson(terms.kind)),
  )
}

/** SHA-256 of what the proposer signed, as hex. */
export function proposalDigest(terms: ProposalTerms): string {
  return hexFromBytes(sha256(proposalBytes(terms)))
}

/**
 * What a voter signs: domain ‖ voter ‖ proposal digest ‖ 1 or 0. The digest rather than the id, because two
 * proposals with the same 64-bit id can be found, and a vote for the harmless one must not count for the other.
 */
export function voteBytes(voter: string, digestHex: string, approve: boolean): Uint8Array {
  return concatBytes(
    VOTE_DOMAIN,
    bytesFromHex(voter),
    bytesFromHex(digestHex),
    new Uint8Array([approve ? 1 : 0]),
  )
}
