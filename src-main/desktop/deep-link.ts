export const LINK_SCHEME = 'tirami'

/** Pages that a link from outside may open: `tirami://wallet`. It opens a page and does nothing else. */
export const LINKED_PAGES = [
  'home',
  'activity',
  'models',
  'chat',
  'playground',
  'market',
  'wallet',
  'keys',
  'safety',
  'settings',
] as const
export type LinkedPage = (typeof LINKED_PAGES)[number]

/**
 * The page that a link names, or null. Only `tirami://PAGE` and `tirami://PAGE/` are links: the text is compared
 * whole, so nothing that parsers disagree on is ever parsed.
 */
export function pageOfLink(url: string): LinkedPage | null {
  const match = /^tirami:\/\/([a-z]{1,16})\/?$/.exec(url)
  return LINKED_PAGES.find((page) => page === match?.[1]) ?? null
}

/** What the operating system hands to a second start: the link is one of its arguments. */
export function linkIn(argv: readonly string[]): LinkedPage | null {
  const links = argv.slice(1).filter((argument) => argument.startsWith(`${LINK_SCHEME}:`))
  // More than one is no click of a person.
  return links.length === 1 ? pageOfLink(links[0] ?? '') : null
}
