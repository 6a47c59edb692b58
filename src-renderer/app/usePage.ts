import { useEffect, useRef, useSyncExternalStore } from 'react'
import { type PageName, pageOf, pages, sectionOf } from './pages.ts'

function onHashChange(listener: () => void): () => void {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}

/** The page that the address names. Going to another one takes the keyboard and the view along. */
export function usePage(): PageName {
  const page = useSyncExternalStore(onHashChange, () => pageOf(location.hash))
  const shown = useRef(page)

  useEffect(() => {
    document.title = page === 'home' ? 'Tirami Host' : `${pages[page].name} · Tirami Host`
    if (shown.current === page) return
    shown.current = page
    document.getElementById('main')?.focus({ preventScroll: true })
    const section = sectionOf(location.hash)
    if (section === null) window.scrollTo({ top: 0, behavior: 'instant' })
    else document.getElementById(section)?.scrollIntoView()
  }, [page])

  return page
}
