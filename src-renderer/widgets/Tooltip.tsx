import type { ReactNode } from 'react'

/** A few words on hover and on keyboard focus. They repeat the accessible name, so they are hidden from it. */
export function Tooltip({ text, children }: { text: string; children: ReactNode }) {
  return (
    <span className="tooltip">
      {children}
      <span className="tooltip__text" aria-hidden="true">
        {text}
      </span>
    </span>
  )
}
