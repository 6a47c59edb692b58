import { TriangleAlert } from 'lucide-react'
import type { PublicErrorData } from '../../src-preload/contract/index.ts'
import { Button } from './Button.tsx'

interface ErrorStateProps {
  error: PublicErrorData
  onRetry?: () => void
}

export function ErrorState({ error, onRetry }: ErrorStateProps) {
  return (
    <div className="error" role="alert">
      <TriangleAlert size={16} aria-hidden="true" />
      <p className="error__text">
        <strong>{error.message}</strong>
        {error.nextStep}
      </p>
      {onRetry === undefined ? null : <Button onClick={onRetry}>Try again</Button>}
    </div>
  )
}
