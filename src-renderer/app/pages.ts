import { Boxes, BrainCircuit, House, KeyRound, type LucideIcon, Wallet } from 'lucide-react'

export const pages = {
  home: { name: 'Home', href: '#/', icon: House },
  models: { name: 'Models', href: '#/models', icon: Boxes },
  playground: { name: 'Playground', href: '#/playground', icon: BrainCircuit },
  wallet: { name: 'Wallet', href: '#/wallet', icon: Wallet },
  keys: { name: 'Keys', href: '#/keys', icon: KeyRound },
} as const satisfies Record<string, { name: string; href: string; icon: LucideIcon }>

export type PageName = keyof typeof pages

export const pageNames = Object.keys(pages) as PageName[]

/** The page that a fragment of the address means; sections (`#trades`) and what is not known lie on Home. */
export function pageOf(hash: string): PageName {
  return pageNames.find((name) => pages[name].href === hash) ?? 'home'
}

/** The section that a fragment names; null for a page. */
export function sectionOf(hash: string): string | null {
  return hash.length < 2 || hash.startsWith('#/') ? null : hash.slice(1)
}
