import { useEffect, useRef, useSyncExternalStore } from 'react'
import { i18n, type Language } from '../i18n/index.ts'
import { type PageName, pageOf, sectionOf } from './pages.ts'

function onHashChange(listener: () => void): () => void {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}

const titleOf = (page: PageName, lng: Language): string => {
  const app = i18n.t('app', { lng })
  return page === 'home' ? app : `${i18n.t(`shell:pages.${page}`, { lng })} · ${app}`
}

/** The page that the address names. Going to another one takes the keyboard and the view along. */
export function usePage(language: Language): PageName {
  const page = useSyncExternalStore(onHashChange, () => pageOf(location.hash))
  const shown = useRef(page)

  useEffect(() => {
    document.title = titleOf(page, language)
  }, [page, language])

  useEffect(() => {
    if (shown.current === page) return
    shown.current = page
    document.getElementById('main')?.focus({ preventScroll: true })
    const section = sectionOf(location.hash)
    if (section === null) window.scrollTo({ top: 0, behavior: 'instant' })
    else document.getElementById(section)?.scrollIntoView()
  }, [page])

  return page
}
