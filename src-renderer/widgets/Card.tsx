import { type ReactNode, useId } from 'react'

interface CardProps {
  id: string
  title: string
  /** Sits at the right of the title. */
  aside?: ReactNode
  children: ReactNode
}

export function Card({ id, title, aside, children }: CardProps) {
  const titleId = useId()
  return (
    <section id={id} className="card" aria-labelledby={titleId} tabIndex={-1}>
      <header className="card__head">
        <h2 id={titleId}>{title}</h2>
        {aside}
      </header>
      <div className="card__body">{children}</div>
    </section>
  )
}
