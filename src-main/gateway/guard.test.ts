import { expect, it } from 'vitest'
import { isFromLoopback } from './guard.ts'

it('takes for this machine what comes from the loopback, and nothing else', () => {
  const isHere = (remoteAddress: string | undefined) => isFromLoopback({ remoteAddress })
  for (const here of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1']) expect(isHere(here)).toBe(true)
  for (const other of [
    '192.168.1.5',
    '10.0.0.1',
    '::ffff:192.168.1.5',
    'fe80::1',
    'fd00::2',
    '127.0.0.1.evil.example',
    '1270.0.0.1',
    '::ffff:1.127.0.1',
    '0.0.0.0',
    '',
    undefined,
  ])
    expect(isHere(other)).toBe(false)
})
