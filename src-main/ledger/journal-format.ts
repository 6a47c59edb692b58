import { crc32 } from 'node:zlib'
import { concatBytes, utf8 } from '../kernel/index.ts'
import { digest } from './hash.ts'

/** Bytes of the first file's header: 8 of magic, version u32 LE, 4 of zero. */
export const HEADER_BYTES = 16
export const FORMAT_VERSION = 1
const PAYLOAD_MAX_BYTES = 64 * 1024
const PREFIX_BYTES = 8
const HASH_BYTES = 32
export const RECORD_MAX_BYTES = PREFIX_BYTES + PAYLOAD_MAX_BYTES + HASH_BYTES
const JOURNAL_MAGIC = utf8('TIRAMI-J')
const HEAD_MAGIC = utf8('TIRAMI-H')
export const HEAD_BYTES = 60
export const HEADER_MAX_BYTES = HEADER_BYTES + HEAD_BYTES

/** A place between two records: where the next record starts and what it is chained to. */
export interface JournalPosition {
  /** Records before this place. The record that ends here has this sequence number. */
  seq: number
  /** Bytes from the start of the journal; headers of later files do not count. */
  offset: number
  /** 32 bytes. */
  chainHash: Uint8Array
}

export interface JournalRecord extends JournalPosition {
  payload: Uint8Array
}

export function u32le(value: number): Uint8Array {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, value, true)
  return out
}

/** Begins the first file of a journal. */
export const JOURNAL_HEADER = concatBytes(JOURNAL_MAGIC, u32le(FORMAT_VERSION), u32le(0))
const CONTINUATION = concatBytes(JOURNAL_MAGIC, u32le(FORMAT_VERSION), u32le(1))

export const GENESIS: JournalPosition = {
  seq: 0,
  offset: HEADER_BYTES,
  chainHash: digest(JOURNAL_HEADER),
}

/** @returns the version in a header of ours, or null when this is not the header of a journal */
export function headerVersion(header: Buffer): number | null {
  return header.length >= HEADER_BYTES && header.subarray(0, 8).equals(JOURNAL_MAGIC)
    ? header.readUInt32LE(8)
    : null
}

/** Begins every later file: 8 of magic, version u32 LE, one u32 LE, and where it goes on, in the form of the head. */
export function continuationHeader(start: JournalPosition): Uint8Array {
  return concatBytes(CONTINUATION, encodeHead(start))
}

export interface SegmentHeader {
  /** Where the first record of the file starts. */
  start: JournalPosition
  headerBytes: number
}

/** @returns what the first bytes of a file say, or null when they are not a whole header of ours */
export function decodeHeader(bytes: Buffer): SegmentHeader | null {
  const kind = bytes.subarray(0, HEADER_BYTES)
  if (kind.equals(JOURNAL_HEADER)) return { start: GENESIS, headerBytes: HEADER_BYTES }
  if (!kind.equals(CONTINUATION)) return null
  const start = decodeHead(bytes.subarray(HEADER_BYTES, HEADER_MAX_BYTES))
  return start && { start, headerBytes: HEADER_MAX_BYTES }
}

/** u32 LE payload length | u32 LE CRC-32 | payload | SHA-256(previous chain hash ‖ payload). */
export function encodeFrame(
  payload: Uint8Array,
  before: JournalPosition,
): { frame: Uint8Array; after: JournalPosition } {
  if (payload.length === 0 || payload.length > PAYLOAD_MAX_BYTES) {
    throw new RangeError(`a journal record has 1 to ${PAYLOAD_MAX_BYTES} bytes`)
  }
  const chainHash = digest(Buffer.concat([before.chainHash, payload]))
  const frame = concatBytes(u32le(payload.length), u32le(crc32(payload)), payload, chainHash)
  return { frame, after: { seq: before.seq + 1, offset: before.offset + frame.length, chainHash } }
}

/** Bytes that a record with a payload of this length takes. */
export const frameBytes = (payloadBytes: number): number => PREFIX_BYTES + payloadBytes + HASH_BYTES

/** @returns the payload of the record that `bytes` begins with, or null when it is not whole and intact */
export function intactPayload(bytes: Buffer): Buffer | null {
  if (bytes.length < PREFIX_BYTES) return null
  const payload = bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + bytes.readUInt32LE(0))
  return bytes.length >= frameBytes(payload.length) && crc32(payload) === bytes.readUInt32LE(4)
    ? payload
    : null
}

type FrameResult =
  | { type: 'record'; record: JournalRecord }
  | { type: 'incomplete' }
  | { type: 'bad'; why: string; endOffset: number }

/** Reads the record that starts at byte `at` of `bytes`; `before` is that place in the file. */
export function decodeFrame(bytes: Buffer, at: number, before: JournalPosition): FrameResult {
  if (bytes.length - at < PREFIX_BYTES) return { type: 'incomplete' }
  const length = bytes.readUInt32LE(at)
  const size = frameBytes(length)
  const endOffset = before.offset + size
  if (length === 0 || length > PAYLOAD_MAX_BYTES) {
    return { type: 'bad', why: `a record cannot have ${length} bytes`, endOffset }
  }
  if (bytes.length - at < size) return { type: 'incomplete' }
  const payload = bytes.subarray(at + PREFIX_BYTES, at + PREFIX_BYTES + length)
  if (crc32(payload) !== bytes.readUInt32LE(at + 4)) {
    return { type: 'bad', why: 'the checksum of a record does not match', endOffset }
  }
  const chainHash = digest(Buffer.concat([before.chainHash, payload]))
  if (!bytes.subarray(at + PREFIX_BYTES + length, at + size).equals(chainHash)) {
    return { type: 'bad', why: 'the hash chain is broken', endOffset }
  }
  return { type: 'record', record: { seq: before.seq + 1, offset: endOffset, chainHash, payload } }
}

/** journal.head: magic 8 | offset u64 LE | seq u64 LE | chain hash 32 | CRC-32 of all before it, u32 LE. */
export function encodeHead(position: JournalPosition): Uint8Array {
  const out = Buffer.alloc(HEAD_BYTES)
  out.set(HEAD_MAGIC, 0)
  out.writeBigUInt64LE(BigInt(position.offset), 8)
  out.writeBigUInt64LE(BigInt(position.seq), 16)
  out.set(position.chainHash, 24)
  out.writeUInt32LE(crc32(out.subarray(0, HEAD_BYTES - 4)), HEAD_BYTES - 4)
  return out
}

/** @returns null when the bytes are not a whole, intact head: then it says nothing */
export function decodeHead(bytes: Buffer): JournalPosition | null {
  if (bytes.length < HEAD_BYTES || !bytes.subarray(0, 8).equals(HEAD_MAGIC)) return null
  if (crc32(bytes.subarray(0, HEAD_BYTES - 4)) !== bytes.readUInt32LE(HEAD_BYTES - 4)) return null
  return {
    offset: Number(bytes.readBigUInt64LE(8)),
    seq: Number(bytes.readBigUInt64LE(16)),
    chainHash: new Uint8Array(bytes.subarray(24, 56)),
  }
}
