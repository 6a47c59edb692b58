import { lookup as dnsLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { addressRefused } from './errors.ts'

/** This machine and networks of one's own: loopback, RFC 1918, RFC 6598 (as mesh VPNs use), RFC 4193, link-local. */
const OWN_NETWORKS = new BlockList()
for (const [network, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
] as const) {
  OWN_NETWORKS.addSubnet(network, bits, 'ipv4')
}
OWN_NETWORKS.addAddress('::1', 'ipv6')
OWN_NETWORKS.addSubnet('fc00::', 7, 'ipv6')
OWN_NETWORKS.addSubnet('fe80::', 10, 'ipv6')

const isOwnNetwork = (address: string): boolean => {
  const version = isIP(address)
  return version !== 0 && OWN_NETWORKS.check(address, version === 4 ? 'ipv4' : 'ipv6')
}

/** Where a server's API begins, without a slash at its end. @throws TiramiError UPSTREAM_ADDRESS_REFUSED */
export function upstreamBase(text: string): URL {
  if (!URL.canParse(text)) throw addressRefused('it is no URL')
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw addressRefused('it begins with neither http nor https')
  if (url.username !== '' || url.password !== '') throw addressRefused('a key belongs into the key file')
  if (url.search !== '' || url.hash !== '') throw addressRefused('it ends with a query or a fragment')
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (url.protocol === 'http:' && isIP(host) !== 0 && !isOwnNetwork(host))
    throw addressRefused('prompts would cross the internet in the clear')
  url.pathname = url.pathname.replace(/\/+$/, '')
  return url
}

/** For plain http: a name may lead to one's own networks only, whatever the name server says later. */
export const ownNetworkLookup: LookupFunction = (hostname, options, callback) => {
  dnsLookup(hostname, { ...options, all: true }, (error, found) => {
    if (error) {
      callback(error, '', 0)
      return
    }
    const own = found.filter(({ address }) => isOwnNetwork(address))
    const [first] = own
    if (!first) callback(addressRefused('prompts would cross the internet in the clear'), '', 0)
    else if (options.all) callback(null, own)
    else callback(null, first.address, first.family)
  })
}
