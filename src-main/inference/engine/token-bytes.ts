const REPLACEMENT = '\uFFFD'
const BYTE_SPELLING = /^<0x([0-9A-Fa-f]{2})>$/

/** GPT-2's printable stand-ins for bytes (`bytes_to_unicode` of OpenAI's encoder), the other way round. */
const BYTES_BY_STAND_IN: ReadonlyMap<string, number> = new Map(
  (() => {
    let next = 256
    return Array.from({ length: 256 }, (_, byte): [string, number] => {
      const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
      return [String.fromCodePoint(isPrintable ? byte : next++), byte]
    })
  })(),
)

/**
 * The UTF-8 bytes of a token.
 * @param text as the tokenizer gives it; half a character shows as U+FFFD there.
 * @param spelling as the model file has it: bytes written `<0xE2>`, or in GPT-2's stand-ins.
 */
export function tokenBytes(text: string, spelling: string): Uint8Array {
  if (!text.includes(REPLACEMENT)) return Buffer.from(text)
  const byte = BYTE_SPELLING.exec(spelling)?.[1]
  if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16))
  const bytes = [...spelling].map((char) => BYTES_BY_STAND_IN.get(char))
  return bytes.length > 0 && bytes.every((value) => value !== undefined)
    ? Uint8Array.from(bytes)
    : Buffer.from(text)
}
