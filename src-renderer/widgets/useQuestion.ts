import { type RefObject, useRef, useState } from 'react'

export interface Question {
  open: boolean
  /** The button that asks: the keyboard returns to it. */
  trigger: RefObject<HTMLButtonElement | null>
  ask(): void
  close(): void
}

/** A question that is asked in its place on the page, before something that cannot be undone. */
export function useQuestion(): Question {
  const [open, setOpen] = useState(false)
  const trigger = useRef<HTMLButtonElement>(null)
  return {
    open,
    trigger,
    ask: () => setOpen(true),
    close: () => {
      setOpen(false)
      trigger.current?.focus()
    },
  }
}
