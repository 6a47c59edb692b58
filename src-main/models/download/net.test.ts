import { once } from 'node:events'
import https from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { isPublicAddress } from './address.ts'
import { createNet, type NetResponse } from './net.ts'
import { selfSignedCertificate } from './testing/certificate.ts'
import { startFaultyServer } from './testing/faulty-server.ts'

const never = new AbortController().signal

async function bodyOf({ body }: NetResponse): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

describe('public addresses', () => {
  test.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.168.1.1',
    '198.18.0.1',
    '203.0.113.9',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:c0a8:101',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::a00:1',
    '64:ff9b:1::1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12:3456::1',
    'ff02::1',
    '2001:db8::1',
    '2001::1',
    '2002:7f00:1::',
    'localhost',
    '2130706433',
    '0x7f.1',
    '',
  ])('%s is none', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  test.each([
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '100.128.0.1',
    '192.0.1.1',
    '2606:4700::1111',
    '2a00:1450::1',
    '::ffff:1.1.1.1',
    '64:ff9b::101:101',
  ])('%s is one', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })
})

describe('the network of downloads', () => {
  test.each(['http://huggingface.co/', 'ftp://huggingface.co/', 'file:///etc/passwd'])(
    'speaks https only, not %s',
    async (address) => {
      await expect(
        createNet().get({ url: new URL(address), headers: {}, signal: never }),
      ).rejects.toMatchObject({ code: 'DOWNLOAD_ADDRESS_REFUSED' })
    },
  )

  test.each([
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://192.168.0.1/',
  ])('does not go to the private address %s', async (address) => {
    await expect(
      createNet().get({ url: new URL(address), headers: {}, signal: never }),
    ).rejects.toMatchObject({ code: 'DOWNLOAD_ADDRESS_REFUSED' })
  })

  test('does not go where a name leads into a private network', async () => {
    const net = createNet({
      resolve: () =>
        Promise.resolve([
          { address: '192.168.1.1', family: 4 },
          { address: 'fd00::1', family: 6 },
        ]),
    })
    await expect(
      net.get({ url: new URL('https://huggingface.co/'), headers: {}, signal: never }),
    ).rejects.toMatchObject({ code: 'DOWNLOAD_ADDRESS_REFUSED' })
  })

  test('goes to the address that was checked, whatever the name server says next', async () => {
    const server = await startFaultyServer(Buffer.from('good'))
    let asked = 0
    // The lab's own address passes for a public one; 127.0.0.2 stands for the private network.
    const net = createNet({
      scheme: 'http',
      allowsAddress: (address) => address === '127.0.0.1',
      resolve: () => Promise.resolve([{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }]),
    })
    const url = new URL(`http://huggingface.co:${server.port}/`)
    try {
      expect(await bodyOf(await net.get({ url, headers: {}, signal: never }))).toBe('good')
      expect(asked).toBe(1)
      // The next request is a new connection: asked again, checked again.
      await expect(net.get({ url, headers: {}, signal: never })).rejects.toMatchObject({
        code: 'DOWNLOAD_ADDRESS_REFUSED',
      })
      expect(asked).toBe(2)
    } finally {
      await server.close()
    }
  })

  test('takes only the public ones of several addresses', async () => {
    const server = await startFaultyServer(Buffer.from('good'))
    const net = createNet({
      scheme: 'http',
      allowsAddress: (address) => address === '127.0.0.1',
      resolve: () =>
        Promise.resolve([
          { address: '127.0.0.2', family: 4 },
          { address: '127.0.0.1', family: 4 },
        ]),
    })
    try {
      const url = new URL(`http://huggingface.co:${server.port}/`)
      expect(await bodyOf(await net.get({ url, headers: {}, signal: never }))).toBe('good')
    } finally {
      await server.close()
    }
  })

  test('checks the certificate of the server', async () => {
    const { cert, key } = selfSignedCertificate('huggingface.co')
    const server = https.createServer({ cert, key }, (_, response) => response.end('over TLS'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const options = {
      allowsAddress: () => true,
      resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 as const }]),
    }
    const ask = (host: string, ca?: string) =>
      createNet(ca === undefined ? options : { ...options, ca }).get({
        url: new URL(`https://${host}:${port}/`),
        headers: {},
        signal: never,
      })
    try {
      expect(await bodyOf(await ask('huggingface.co', cert))).toBe('over TLS')
      await expect(ask('huggingface.co')).rejects.toMatchObject({ reason: { code: 'DOWNLOAD_INTERRUPTED' } })
      await expect(ask('cdn.hf.co', cert)).rejects.toMatchObject({ reason: { code: 'DOWNLOAD_INTERRUPTED' } })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  test('does not wait for headers that never end', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.write('HTTP/1.1 200 OK\r\n')
      const drip = setInterval(() => socket.write('x-drip: 1\r\n'), 10)
      socket.on('close', () => clearInterval(drip))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const net = createNet({ scheme: 'http', allowsAddress: () => true, headersWithinMs: 150 })
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    try {
      await expect(net.get({ url, headers: {}, signal: never })).rejects.toMatchObject({
        reason: { code: 'DOWNLOAD_STALLED' },
      })
    } finally {
      server.close()
    }
  })

  test('gives up a request that is cancelled, before and after its answer', async () => {
    const server = await startFaultyServer(Buffer.alloc(100_000))
    server.behave = () => ({ kind: 'hang', afterBytes: 10 })
    try {
      const stop = new AbortController()
      const response = await server
        .net()
        .get({ url: new URL('https://huggingface.co/a'), headers: {}, signal: stop.signal })
      const body = bodyOf(response)
      stop.abort()
      await expect(body).rejects.toThrow()
      await expect(
        server.net().get({ url: new URL('https://huggingface.co/a'), headers: {}, signal: stop.signal }),
      ).rejects.toThrow()
    } finally {
      await server.close()
    }
  })
})
