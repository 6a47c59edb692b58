import {
  Activity,
  Boxes,
  BrainCircuit,
  House,
  KeyRound,
  type LucideIcon,
  MessagesSquare,
  Network,
  Settings,
  ShieldCheck,
  Wallet,
} from 'lucide-react'

/**
 * The pages in the order of the navigation, which in full is: Home, Activity, Models, Chat, Playground, Market, Wallet,
 * Keys, Safety, Settings. One that has no code yet is not listed. Their names are in `i18n/<language>/shell.json`; their code
 * is in the table of `App.tsx`.
 */
export const pages = {
  home: { href: '#/', icon: House },
  activity: { href: '#/activity', icon: Activity },
  models: { href: '#/models', icon: Boxes },
  chat: { href: '#/chat', icon: MessagesSquare },
  playground: { href: '#/playground', icon: BrainCircuit },
  market: { href: '#/market', icon: Network },
  wallet: { href: '#/wallet', icon: Wallet },
  keys: { href: '#/keys', icon: KeyRound },
  safety: { href: '#/safety', icon: ShieldCheck },
  settings: { href: '#/settings', icon: Settings },
} as const satisfies Record<string, { href: string; icon: LucideIcon }>

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
