import { TelemetryRecord } from '../../src-preload/contract/index.ts'
import { hexFromBytes, sha256, utf8 } from '../kernel/index.ts'

/** The hash that the first event of all follows. */
export const GENESIS_HASH = '0'.repeat(64)

/** Longest line that is written or believed. */
export const LINE_BYTES_MAX = 65_536

const HASH_MEMBER = /,"hash":"([0-9a-f]{64})"\}$/

/** Where a chain stands: the next event has `seq + 1` and names `hash`. */
export interface ChainHead {
  seq: number
  hash: string
}

export const GENESIS: ChainHead = { seq: 0, hash: GENESIS_HASH }

/**
 * One line, without its newline: JSON whose last member, `hash`, is the SHA-256 of the same line without that member.
 * The hash is over bytes as they stand in the file, so checking it needs no rules for writing JSON.
 */
export function encodeLine(
  head: ChainHead,
  event: { ts: string; event_type: string; payload: unknown },
): { line: string; head: ChainHead } {
  const { ts, event_type, payload } = event
  const seq = head.seq + 1
  const body = JSON.stringify({ ts, seq, event_type, payload, prevHash: head.hash })
  const hash = hexFromBytes(sha256(utf8(body)))
  return { line: `${body.slice(0, -1)},"hash":"${hash}"}`, head: { seq, hash } }
}

/** The event of an intact line; or what is wrong with it, and the hash that it claims to have. */
export function decodeLine(
  line: string,
): { record: TelemetryRecord } | { problem: string; claimedHash?: string } {
  const match = HASH_MEMBER.exec(line)
  if (!match) return { problem: 'it does not end with its hash' }
  if (hexFromBytes(sha256(utf8(`${line.slice(0, match.index)}}`))) !== match[1]) {
    return { problem: 'its hash does not fit its content', claimedHash: match[1] ?? '' }
  }
  try {
    return { record: TelemetryRecord.parse(JSON.parse(line)) }
  } catch {
    return { problem: 'it is not an event' }
  }
}
