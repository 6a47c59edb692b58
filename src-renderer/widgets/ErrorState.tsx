import { TriangleAlert } from 'lucide-react'
import type { PublicErrorData } from '../../src-preload/contract/index.ts'
import { errorWords, useTranslation } from '../i18n/index.ts'
import { Button } from './Button.tsx'

interface ErrorStateProps {
  error: PublicErrorData
  onRetry?: () => void
}

export function ErrorState({ error, onRetry }: ErrorStateProps) {
  const { t } = useTranslation()
  const { message, nextStep } = errorWords(error)
  return (
    <div className="error" role="alert">
      <TriangleAlert size={16} aria-hidden="true" />
      <p className="error__text">
        <strong>{message}</strong>
        {nextStep}
      </p>
      {onRetry === undefined ? null : <Button onClick={onRetry}>{t('tryAgain')}</Button>}
    </div>
  )
}
