import type { ReactNode } from 'react'

interface BadgeProps {
  tone?: 'plain' | 'earning' | 'warn' | 'bad'
  children: ReactNode
}

export function Badge({ tone = 'plain', children }: BadgeProps) {
  return <span className={`badge badge--${tone}`}>{children}</span>
}
