import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Small enough that hashing one piece never holds the event loop for long, large enough to be fast. */
const PIECE_BYTES = 128 * 1024

/**
 * SHA-256 of a file as it is on disk, lower-case hex. Gives way to other work between pieces.
 * @throws the signal's reason when cancelled, or what the system says of the file
 */
export async function sha256OfFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'r')
  try {
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    for (;;) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(piece.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
