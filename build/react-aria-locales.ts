import type { Plugin } from 'vite'

const FROM_REACT_ARIA = /[/\\](?:react-aria|react-stately|react-aria-components)[/\\]/
const LOCALE = /[a-z]{2}-[A-Z]{2}/
const NOTHING = '\0react-aria-locale-left-out'

/**
 * Leaves React Aria's words of other languages out of the window: what `@react-aria/optimize-locales-plugin` does,
 * without unplugin and what that brings.
 *
 * @param kept such as `en-US`; of the names that React Aria has
 */
export function reactAriaLocales(kept: readonly string[]): Plugin {
  return {
    name: 'react-aria-locales',
    enforce: 'pre',
    resolveId: {
      filter: { id: LOCALE },
      handler(specifier, importer) {
        const locale = LOCALE.exec(specifier)?.[0]
        if (importer === undefined || !FROM_REACT_ARIA.test(importer) || locale === undefined) return null
        return kept.includes(locale) ? null : NOTHING
      },
    },
    load: {
      filter: { id: new RegExp(`^${NOTHING}$`) },
      handler: () => 'export default undefined',
    },
  }
}
