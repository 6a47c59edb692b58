#!/usr/bin/env node
// Independent check of a proof over a ledger's trades (RFC 6962, section 2.1). Shares no code with the host.
// Usage: node e2e/verify-proof.mjs [FILE|-] [--head SIZE:ROOT]   (the head that you hold; without it the proof is only
// held against the size and root that it brings along, and a root alone does not say how many trades it covers)
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest()
const nodeHash = (left, right) => sha256(Buffer.of(1), left, right)
const split = (size) => (size > 2 ? 2 * split(Math.ceil(size / 2)) : 1) // the largest power of two below size
function check(condition, what) {
  if (!condition) throw new Error(what)
}
function hash(text) {
  check(typeof text === 'string' && /^[0-9a-f]{64}$/.test(text), 'not a hash')
  return Buffer.from(text, 'hex')
}
function rootFrom(leaf, index, size, path) {
  check(size > 1 ? path.length > 0 : path.length === 0, 'the path has another length')
  if (size === 1) return leaf
  const [sibling, rest, k] = [path.at(-1), path.slice(0, -1), split(size)]
  if (index < k) return nodeHash(rootFrom(leaf, index, k, rest), sibling)
  return nodeHash(sibling, rootFrom(leaf, index - k, size - k, rest))
}
/** The roots of the first `m` and of all `n` leaves; `known` is the first root where the path leaves it out. */
function rootsFrom(m, n, path, known) {
  check(m < n ? path.length > 0 : path.length === (known ? 0 : 1), 'the path has another length')
  if (m === n) return known ? [known, known] : [path[0], path[0]]
  const [sibling, rest, k] = [path.at(-1), path.slice(0, -1), split(n)]
  const [first, second] = m <= k ? rootsFrom(m, k, rest, known) : rootsFrom(m - k, n - k, rest, null)
  return m <= k ? [first, nodeHash(second, sibling)] : [nodeHash(sibling, first), nodeHash(sibling, second)]
}
function verifyInclusion({ trade_id, index, tree_size, root_hash, leaf_hash, path, signed_bytes }) {
  check([index, tree_size].every(Number.isSafeInteger) && 0 <= index && index < tree_size, 'no such leaf')
  const bytes = Buffer.from(signed_bytes, 'hex')
  check(bytes.toString('hex') === signed_bytes && sha256(bytes).equals(hash(trade_id)), 'trade id or bytes')
  check(sha256(Buffer.of(0), bytes).equals(hash(leaf_hash)), 'the leaf is not that of the signed bytes')
  check(rootFrom(hash(leaf_hash), index, tree_size, path.map(hash)).equals(hash(root_hash)), 'another root')
  return `${tree_size}:${root_hash}`
}
function verifyConsistency({ first, second, first_root_hash, second_root_hash, path }) {
  check([first, second].every(Number.isSafeInteger) && 0 <= first && first <= second, 'no such trees')
  const [known, last] = [hash(first_root_hash), hash(second_root_hash)]
  if (first === 0) check(path.length === 0 && sha256(Buffer.alloc(0)).equals(known), 'the empty tree')
  const roots = first === 0 ? [known, last] : rootsFrom(first, second, path.map(hash), known)
  check(roots[0].equals(known) && roots[1].equals(last), 'another root')
  return `${second}:${second_root_hash}`
}
try {
  const args = process.argv.slice(2)
  const trusted = args.includes('--head') ? args.splice(args.indexOf('--head'), 2)[1] : null
  const proof = JSON.parse(readFileSync(args[0] && args[0] !== '-' ? args[0] : 0, 'utf8'))
  check(proof.type === 'inclusion' || proof.type === 'consistency', 'not a proof')
  const head = proof.type === 'inclusion' ? verifyInclusion(proof) : verifyConsistency(proof)
  check(trusted === null || trusted === head, 'the head is not the one that you hold')
  console.log(JSON.stringify({ ok: true, type: proof.type, head }))
} catch (error) {
  console.log(JSON.stringify({ ok: false, error: String(error.message) }))
  process.exitCode = 1
}
