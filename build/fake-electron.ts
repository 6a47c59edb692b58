import { FuseV1Options } from '@electron/fuses'

export const FUSE_NAMES = Object.keys(FuseV1Options).filter((key) => Number.isNaN(Number(key)))

/** The bytes by which the fuse tool knows an Electron, for tests. */
export function fakeElectron(fuses = FUSE_NAMES.length): Buffer {
  const sentinel = Buffer.from('dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX', 'latin1')
  return Buffer.concat([
    Buffer.alloc(64),
    sentinel,
    Buffer.from([1, fuses]),
    Buffer.from('1'.repeat(fuses)),
    Buffer.alloc(64),
  ])
}
