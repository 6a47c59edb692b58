import { TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'

/** Something that works, but not as well as it should. */
export function Notice({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="notice">
      <TriangleAlert size={20} aria-hidden="true" />
      <p>
        <strong>{title}</strong>
        {children}
      </p>
    </div>
  )
}
