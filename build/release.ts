/** What a release needs from its surroundings, and what follows where it is missing. */

/** Where updates are fetched from, for ever: clients that are out there keep it. https, or there are none. */
export function updateUrl(environment: NodeJS.ProcessEnv): string | null {
  const text = environment.TIRAMI_UPDATE_URL
  if (text === undefined || text === '') return null
  const url = URL.canParse(text) ? new URL(text) : null
  const plain = url?.protocol === 'https:' && url.username === '' && url.search === '' && url.hash === ''
  if (!plain) throw new Error(`TIRAMI_UPDATE_URL must be a plain https address, not “${text}”.`)
  return text
}

/** Whether Apple is asked to notarise, and a line that says so: an app that is not is refused by Gatekeeper. */
export function notarisation(environment: NodeJS.ProcessEnv): { on: boolean; line: string } {
  const given = (...names: string[]) => names.every((name) => (environment[name] ?? '') !== '')
  const signs = given('CSC_LINK') || given('CSC_NAME')
  const asks = given('APPLE_API_KEY', 'APPLE_API_KEY_ID', 'APPLE_API_ISSUER')
  if (signs && asks) return { on: true, line: 'notarising with the key of APPLE_API_KEY_ID' }
  const missing = signs ? 'APPLE_API_KEY, APPLE_API_KEY_ID and APPLE_API_ISSUER' : 'CSC_LINK'
  return { on: false, line: `not notarised: ${missing} not given; this package is for tests only` }
}

/** Name in the certificate that signs Windows packages; the updater takes no package of another. */
export function windowsPublisher(environment: NodeJS.ProcessEnv): string | null {
  const name = environment.WIN_PUBLISHER_NAME
  return name === undefined || name === '' ? null : name
}
