import { CircleCheck, CircleHelp, CircleMinus, CircleX } from 'lucide-react'
import type { InstalledModel } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { fitWords } from './words.ts'

const icons = {
  fits: CircleCheck,
  squeezed: CircleMinus,
  'too-large': CircleX,
  unknown: CircleHelp,
} as const

/** Whether the model can be loaded on this machine now. */
export function Fit({ fit }: { fit: InstalledModel['fit'] }) {
  const { t } = useTranslation('models')
  const Icon = icons[fit.verdict]
  return (
    <div className="fit" data-verdict={fit.verdict}>
      <p className="fit__verdict">
        <Icon size={15} aria-hidden="true" />
        {t(`fit.${fit.verdict}`)}
      </p>
      <p className="fit__sentence">{fitWords(fit)}</p>
    </div>
  )
}
