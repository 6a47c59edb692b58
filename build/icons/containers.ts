/** An ICO whose images are PNG (Windows Vista and later). */
export function icoFile(images: { size: number; png: Uint8Array }[]): Buffer {
  const directory = Buffer.alloc(6 + 16 * images.length)
  directory.writeUInt16LE(1, 2)
  directory.writeUInt16LE(images.length, 4)
  let offset = directory.length
  images.forEach(({ size, png }, index) => {
    const at = 6 + 16 * index
    // 0 stands for 256.
    directory.writeUInt8(size % 256, at)
    directory.writeUInt8(size % 256, at + 1)
    directory.writeUInt16LE(1, at + 4)
    directory.writeUInt16LE(32, at + 6)
    directory.writeUInt32LE(png.length, at + 8)
    directory.writeUInt32LE(offset, at + 12)
    offset += png.length
  })
  return Buffer.concat([directory, ...images.map(({ png }) => png)])
}

/** The PNG slots of an ICNS, by the pixels that they hold; some sizes serve twice, as @1x and @2x. */
const ICNS_SLOTS: [type: string, size: number][] = [
  ['ic11', 32],
  ['ic12', 64],
  ['ic07', 128],
  ['ic13', 256],
  ['ic08', 256],
  ['ic14', 512],
  ['ic09', 512],
  ['ic10', 1024],
]

/** @throws Error when an image of a size that the format needs is missing */
export function icnsFile(pngBySize: ReadonlyMap<number, Uint8Array>): Buffer {
  const entries = ICNS_SLOTS.map(([type, size]) => {
    const png = pngBySize.get(size)
    if (png === undefined) throw new Error(`icns: no image of ${size} pixels`)
    return chunk(type, png)
  })
  return chunk('icns', Buffer.concat(entries))
}

function chunk(type: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(8)
  header.write(type, 0, 'latin1')
  header.writeUInt32BE(content.length + 8, 4)
  return Buffer.concat([header, content])
}
