import { ExternalLink as Icon } from 'lucide-react'

/** Opens in the owner's browser; the page that opens learns nothing of this one. */
export function ExternalLink({ href, children }: { href: string; children: string }) {
  return (
    <a className="external" href={href} target="_blank" rel="noopener noreferrer">
      {children}
      <Icon size={12} aria-hidden="true" />
      <span className="visually-hidden"> (opens in your browser)</span>
    </a>
  )
}
