/** Identifiers of SPDX are written in any case; model files have them in lower case. */
const written = ['MIT', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'GPL-3.0', 'CC-BY-4.0', 'CC-BY-NC-4.0']

/** `mit` → `MIT`; a licence of its own, `LicenseRef-Qwen-Research` → `Qwen Research`. */
export function formatLicense(id: string): string {
  if (id.startsWith('LicenseRef-')) return id.slice('LicenseRef-'.length).replaceAll('-', ' ')
  return written.find((name) => name.toLowerCase() === id.toLowerCase()) ?? id
}
