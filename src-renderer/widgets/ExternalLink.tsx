import { ExternalLink as Icon } from 'lucide-react'
import { useTranslation } from '../i18n/index.ts'

/** Opens in the owner's browser; the page that opens learns nothing of this one. */
export function ExternalLink({ href, children }: { href: string; children: string }) {
  const { t } = useTranslation()
  return (
    <a className="external" href={href} target="_blank" rel="noopener noreferrer">
      {children}
      <Icon size={12} aria-hidden="true" />
      <span className="visually-hidden"> {t('opensInBrowser')}</span>
    </a>
  )
}
