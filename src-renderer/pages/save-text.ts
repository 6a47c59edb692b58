/** How long a browser may take to begin the download. */
const KEEP_MS = 60_000

/** Offers `text` as a file: the browser's or the app's own download. */
export function saveText(text: string, fileName: string, type: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = address
  link.download = fileName
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), KEEP_MS)
}
