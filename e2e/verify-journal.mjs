#!/usr/bin/env node
// Independent check of a ledger journal: shares no code with the host. The format is in src-main/ledger/README.md.
// Usage: node e2e/verify-journal.mjs <path of journal.log> [--list]   (--list adds the ids of all trades)
import { createHash, verify } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()

function check(condition, what) {
  if (!condition) throw new Error(what)
}

function u64(decimal) {
  const out = Buffer.alloc(8)
  out.writeBigUInt64LE(BigInt(decimal))
  return out
}

function signedBytes(terms) {
  const parties = Buffer.from(terms.provider + terms.consumer, 'hex')
  const numbers = Buffer.concat([terms.amountTrm, terms.tokensProcessed, terms.timestampMs].map(u64))
  const model = Buffer.from(terms.modelId)
  return Buffer.concat([Buffer.of(2), parties, numbers, model, Buffer.from(terms.nonce, 'hex')])
}

function signatureFits(publicKeyHex, message, signatureHex) {
  const key = Buffer.concat([SPKI_PREFIX, Buffer.from(publicKeyHex, 'hex')])
  return verify(null, message, { key, format: 'der', type: 'spki' }, Buffer.from(signatureHex, 'hex'))
}

function checkTrade({ terms, providerSignature, consumerSignature, transfers }, nonces) {
  const message = signedBytes(terms)
  check(signatureFits(terms.provider, message, providerSignature), 'provider signature')
  check(signatureFits(terms.consumer, message, consumerSignature), 'consumer signature')
  const paid = transfers.filter((transfer) => transfer.code === 'trade')
  check(paid.length === 1 && paid[0].amountTrm === terms.amountTrm, 'booked amount is not the signed amount')
  check(paid[0].debit === `reserved:${terms.consumer}`, 'debited account is not the consumer')
  check(paid[0].credit === `available:${terms.provider}`, 'credited account is not the provider')
  const nonce = terms.provider + terms.nonce
  check(!nonces.has(nonce) && !/^0+$/.test(terms.nonce), 'nonce used before or zero')
  nonces.add(nonce)
  return sha256(message)
}

function applyTransfers(balances, transfers) {
  for (const { debit, credit, amountTrm } of transfers) {
    check(BigInt(amountTrm) > 0n, 'transfer without amount')
    balances.set(debit, (balances.get(debit) ?? 0n) - BigInt(amountTrm))
    balances.set(credit, (balances.get(credit) ?? 0n) + BigInt(amountTrm))
    check(!debit.startsWith('reserved:') || balances.get(debit) >= 0n, 'more taken than was reserved')
  }
}

function merkleRoot(leaves) {
  if (leaves.length === 0) return Buffer.alloc(32)
  if (leaves.length === 1) return leaves[0]
  return merkleRoot(leaves.flatMap((left, i) => (i % 2 ? [] : [sha256(left, leaves[i + 1] ?? left)])))
}

/** Later files are named after the number of records before them. */
function laterFiles(path) {
  const names = readdirSync(dirname(path)).filter((name) => /^journal-\d{16}\.log$/.test(name))
  return names.sort().map((name) => readFileSync(join(dirname(path), name)))
}

/** The records of a later file, when it goes on where the one before it ended: magic, offset, records, chain hash. */
function continuing(file, offset, records, chain) {
  const place = Buffer.concat([Buffer.from('TIRAMI-H'), u64(offset), u64(records), chain])
  const sum = Buffer.alloc(4)
  sum.writeUInt32LE(crc32(place))
  const header = Buffer.concat([Buffer.from('TIRAMI-J\x01\0\0\0\x01\0\0\0', 'latin1'), place, sum])
  check(file.subarray(0, header.length).equals(header), `a file does not continue record ${records}`)
  return file.subarray(header.length)
}

const report = { records: 0, trades: 0, merkleRoot: '', headHash: '', ok: false }
try {
  const file = readFileSync(process.argv[2])
  const header = file.subarray(0, 16)
  check(header.equals(Buffer.from('TIRAMI-J\x01\0\0\0\0\0\0\0', 'latin1')), 'header')
  let chain = sha256(header)
  const [leaves, balances, nonces] = [[], new Map(), new Set()]
  const readRecords = (bytes) => {
    for (let at = 0; at < bytes.length; report.records++) {
      check(bytes.length - at >= 8, 'cut short')
      const payload = bytes.subarray(at + 8, at + 8 + bytes.readUInt32LE(at))
      check(crc32(payload) === bytes.readUInt32LE(at + 4), `checksum at byte ${at}`)
      chain = sha256(chain, payload)
      at += 8 + payload.length + 32
      check(bytes.subarray(at - 32, at).equals(chain), `chain before byte ${at}`)
      const record = JSON.parse(payload.toString())
      applyTransfers(balances, record.transfers)
      if (record.kind === 'settle') leaves.push(checkTrade(record, nonces))
    }
  }
  readRecords(file.subarray(16))
  let offset = file.length
  for (const later of laterFiles(process.argv[2])) {
    const records = continuing(later, offset, report.records, chain)
    readRecords(records)
    offset += records.length
  }
  check(
    [...balances.values()].reduce((sum, balance) => sum + balance, 0n) === 0n,
    'balances do not add up to zero',
  )
  const [root, head] = [merkleRoot(leaves), chain].map((hash) => hash.toString('hex'))
  Object.assign(report, { trades: leaves.length, merkleRoot: root, headHash: head, ok: true })
  if (process.argv[3] === '--list') report.tradeIds = leaves.map((leaf) => leaf.toString('hex'))
} catch (error) {
  report.error = String(error.message)
  process.exitCode = 1
}
console.log(JSON.stringify(report))
