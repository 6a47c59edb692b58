import type { FileHandle } from 'node:fs/promises'

const CHUNK_BYTES = 256 * 1024

/** The reader ran past the end of the file or past its byte budget. `message` says which. */
export class ReadLimitError extends Error {}

/**
 * Forward-only little-endian reader over an open file. Holds one chunk, whatever the file's size, and
 * refuses to move past `limitBytes`, so a forged length costs nothing.
 */
export class FileReader {
  readonly #file: FileHandle
  readonly #fileBytes: number
  readonly #limitBytes: number
  #chunk: Buffer = Buffer.alloc(0)
  /** Where `#chunk` begins in the file. */
  #chunkStart = 0
  #position = 0

  constructor(file: FileHandle, fileBytes: number, limitBytes: number) {
    this.#file = file
    this.#fileBytes = fileBytes
    this.#limitBytes = limitBytes
  }

  get position(): number {
    return this.#position
  }

  /** Moves past `length` bytes without reading them. @throws ReadLimitError */
  skip(length: number): void {
    this.#assertWithin(length)
    this.#position += length
  }

  /** The next `length` bytes; valid until the next call. @throws ReadLimitError */
  async take(length: number): Promise<Buffer> {
    this.#assertWithin(length)
    if (
      this.#position + length > this.#chunkStart + this.#chunk.length ||
      this.#position < this.#chunkStart
    ) {
      await this.#fill(Math.max(length, CHUNK_BYTES))
    }
    const start = this.#position - this.#chunkStart
    if (start + length > this.#chunk.length)
      throw new ReadLimitError('the file ends in the middle of its header')
    this.#position += length
    return this.#chunk.subarray(start, start + length)
  }

  /**
   * Moves past `count` strings, each a 64-bit length and that many bytes; waits only where a chunk ends.
   * @param assertLength throws for a length that is not allowed
   * @param visit gets the bytes of each, valid until it returns. @throws ReadLimitError
   */
  async skipTexts(
    count: number,
    assertLength: (bytes: bigint) => void,
    visit?: (text: Buffer) => void,
  ): Promise<void> {
    for (let done = 0; done < count; done++) {
      const length = (this.#here(8) ?? (await this.take(8))).readBigUInt64LE(0)
      assertLength(length)
      if (visit) visit(this.#here(Number(length)) ?? (await this.take(Number(length))))
      else this.skip(Number(length))
    }
  }

  /** The next `length` bytes if the chunk in memory has them, else null and nothing has moved. */
  #here(length: number): Buffer | null {
    const start = this.#position - this.#chunkStart
    if (start < 0 || start + length > this.#chunk.length) return null
    this.skip(length)
    return this.#chunk.subarray(start, start + length)
  }

  async u32(): Promise<number> {
    return (await this.take(4)).readUInt32LE(0)
  }

  async u64(): Promise<bigint> {
    return (await this.take(8)).readBigUInt64LE(0)
  }

  #assertWithin(length: number): void {
    if (this.#position + length > this.#fileBytes) {
      throw new ReadLimitError('the file ends in the middle of its header')
    }
    if (this.#position + length > this.#limitBytes) {
      throw new ReadLimitError(`its header is larger than ${this.#limitBytes / 1024 / 1024} MiB`)
    }
  }

  async #fill(length: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(length, this.#fileBytes - this.#position))
    let filled = 0
    while (filled < buffer.length) {
      const { bytesRead } = await this.#file.read(
        buffer,
        filled,
        buffer.length - filled,
        this.#position + filled,
      )
      if (bytesRead === 0) break
      filled += bytesRead
    }
    this.#chunk = buffer.subarray(0, filled)
    this.#chunkStart = this.#position
  }
}
