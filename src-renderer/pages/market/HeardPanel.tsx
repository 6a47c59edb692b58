import type { MeshView, UncountedStatement } from '../../../src-preload/contract/index.ts'
import { hostWords, useTranslation } from '../../i18n/index.ts'
import { Badge, Card } from '../../widgets/index.ts'
import { hostName } from './words.ts'

const DIGEST_DIGITS = 8

/** Votes and other words of hosts that count for nothing here, and why; nothing where there are none. */
export function HeardPanel({ view: { uncounted } }: { view: MeshView }) {
  const { t } = useTranslation('market')
  if (uncounted.length === 0) return null
  return (
    <Card id="market-heard" title={t('heard.title')}>
      <p className="muted market__hint">{t('heard.text')}</p>
      <ul className="market__seen">
        {uncounted.map((statement, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two words of one host may read the same
          <li key={index}>
            <Badge>{t(`heard.kinds.${statement.kind}`)}</Badge>
            <span>{hostName(statement.author)}</span>
            <About statement={statement} />
            <span className="muted">{reasonWords(statement)}</span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function About({ statement: { kind, subject, approve } }: { statement: UncountedStatement }) {
  const { t } = useTranslation('market')
  if (subject === null) return null
  if (kind === 'proposal') return <span>{subject}</span>
  const proposal = subject.slice(0, DIGEST_DIGITS)
  return <span>{t(approve ? 'heard.for' : 'heard.against', { proposal })}</span>
}

/** Errors have capitals for a code. */
const reasonWords = ({ code, reason, params = {} }: UncountedStatement): string =>
  hostWords(/^[A-Z]/.test(code) ? `errors.${code}.message` : `heard.${code}`, reason, params)
