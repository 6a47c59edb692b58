import type { ReactNode } from 'react'

/** A link to a page of the window. In a translated sentence its words come with the sentence: `<PageLink to="#/models" />`. */
export function PageLink({ to, children }: { to: `#/${string}`; children?: ReactNode }) {
  return <a href={to}>{children}</a>
}
