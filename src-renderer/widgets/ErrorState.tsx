import { TriangleAlert } from 'lucide-react'
import type { PublicErrorData } from '../../src-preload/contract/index.ts'
import { hostWords, useTranslation } from '../i18n/index.ts'
import { Button } from './Button.tsx'

interface ErrorStateProps {
  error: PublicErrorData
  onRetry?: () => void
}

export function ErrorState({ error, onRetry }: ErrorStateProps) {
  const { t } = useTranslation()
  return (
    <div className="error" role="alert">
      <TriangleAlert size={16} aria-hidden="true" />
      <p className="error__text">
        <strong>{hostWords(`errors.${error.code}.message`, error.message)}</strong>
        {hostWords(`errors.${error.code}.nextStep`, error.nextStep)}
      </p>
      {onRetry === undefined ? null : <Button onClick={onRetry}>{t('tryAgain')}</Button>}
    </div>
  )
}
