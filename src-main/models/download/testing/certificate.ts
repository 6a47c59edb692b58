import { generateKeyPairSync, sign } from 'node:crypto'

/** A self-signed certificate for one host name, made anew for each test. */
export function selfSignedCertificate(hostname: string): { cert: string; key: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(tlv(0x31, sequence(objectId(0x55, 0x04, 0x03), tlv(0x0c, Buffer.from(hostname)))))
  const algorithm = sequence(objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
  const names = tlv(0x04, sequence(tlv(0x82, Buffer.from(hostname))))
  const body = sequence(
    tlv(0xa0, tlv(0x02, Buffer.of(2))),
    tlv(0x02, Buffer.of(1)),
    algorithm,
    name,
    sequence(generalizedTime('20000101000000Z'), generalizedTime('99991231235959Z')),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(sequence(objectId(0x55, 0x1d, 0x11), names))),
  )
  const signature = tlv(0x03, Buffer.of(0), sign('sha256', body, privateKey))
  const der = sequence(body, algorithm, signature).toString('base64')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${der.match(/.{1,64}/g)?.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** Tag, length and value, as DER writes them. */
function tlv(tag: number, ...values: Buffer[]): Buffer {
  const value = Buffer.concat(values)
  const length = value.length
  const header = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...header), value])
}

const sequence = (...values: Buffer[]): Buffer => tlv(0x30, ...values)
const objectId = (...bytes: number[]): Buffer => tlv(0x06, Buffer.of(...bytes))
const generalizedTime = (text: string): Buffer => tlv(0x18, Buffer.from(text))
