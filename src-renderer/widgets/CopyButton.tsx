import { Check, Copy, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { Button } from './Button.tsx'
import { Tooltip } from './Tooltip.tsx'

const SHOWN_MS = 2_000
const words = { ready: null, copied: 'Copied', refused: 'Could not copy: select the text instead' } as const
const icons = { ready: Copy, copied: Check, refused: X } as const

/** `what` completes “Copy …”. */
export function CopyButton({ what, text }: { what: string; text: string }) {
  const [outcome, setOutcome] = useState<keyof typeof words>('ready')

  useEffect(() => {
    if (outcome === 'ready') return
    const timer = setTimeout(() => setOutcome('ready'), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [outcome])

  async function copy() {
    try {
      await navigator.clipboard.writeText(text)
      setOutcome('copied')
    } catch {
      setOutcome('refused')
    }
  }

  const Icon = icons[outcome]
  return (
    <Tooltip text={words[outcome] ?? `Copy ${what}`}>
      <Button icon aria-label={`Copy ${what}`} onClick={() => void copy()}>
        <Icon size={16} aria-hidden="true" />
      </Button>
      <span className="visually-hidden" role="status">
        {words[outcome]}
      </span>
    </Tooltip>
  )
}
