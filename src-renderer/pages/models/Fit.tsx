import { CircleCheck, CircleHelp, CircleMinus, CircleX } from 'lucide-react'
import type { InstalledModel } from '../../../src-preload/contract/index.ts'

const verdicts = {
  fits: { icon: CircleCheck, words: 'Fits' },
  squeezed: { icon: CircleMinus, words: 'Fits with less' },
  'too-large': { icon: CircleX, words: 'Too large' },
  unknown: { icon: CircleHelp, words: 'Fit not known' },
} as const

/** Whether the model can be loaded on this machine now. */
export function Fit({ fit }: { fit: InstalledModel['fit'] }) {
  const { icon: Icon, words } = verdicts[fit.verdict]
  return (
    <div className="fit" data-verdict={fit.verdict}>
      <p className="fit__verdict">
        <Icon size={15} aria-hidden="true" />
        {words}
      </p>
      <p className="fit__sentence">{fit.sentence}</p>
    </div>
  )
}
