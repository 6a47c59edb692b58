import { BlockList, isIP } from 'node:net'

/** What is not the public internet: IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and successors). */
const NOT_PUBLIC = new BlockList()
const NOT_PUBLIC_V4: readonly [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]
for (const [network, bits] of NOT_PUBLIC_V4) NOT_PUBLIC.addSubnet(network, bits, 'ipv4')

/** Of IPv6 only 2000::/3 is handed out to the public; these lie inside it and are not. */
const GLOBAL_V6 = new BlockList()
GLOBAL_V6.addSubnet('2000::', 3, 'ipv6')
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  NOT_PUBLIC.addSubnet(network, bits, 'ipv6')
}
/** Networks without IPv4 reach it through this prefix (RFC 6052); the last 32 bits are the IPv4 address. */
const NAT64 = new BlockList()
NAT64.addSubnet('64:ff9b::', 96, 'ipv6')

/**
 * Whether an address is on the public internet. Loopback, private, link-local, shared, multicast, documentation
 * and reserved ranges are not, whichever way they are written (IPv4-mapped and NAT64 forms included).
 * @param address an IPv4 or IPv6 address in text; anything else is not public
 */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address)
  if (version === 4) return !NOT_PUBLIC.check(address, 'ipv4')
  if (version !== 6 || address.includes('%')) return false
  const groups = ipv6Groups(address)
  const embedded = groups.slice(6).flatMap((group) => [group >> 8, group & 0xff])
  if (NAT64.check(address, 'ipv6') || isMapped(groups)) return isPublicAddress(embedded.join('.'))
  return GLOBAL_V6.check(address, 'ipv6') && !NOT_PUBLIC.check(address, 'ipv6')
}

/** ::ffff:a.b.c.d */
function isMapped(groups: number[]): boolean {
  return groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
}

/** The eight 16-bit groups of a valid IPv6 address. */
function ipv6Groups(address: string): number[] {
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  if (tail === undefined) return groups(head)
  const left = groups(head)
  const right = groups(tail)
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
}

/** The address in a URL's host part, or null where it is a name. */
export function literalAddress(hostname: string): string | null {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return isIP(bare) === 0 ? null : bare
}
