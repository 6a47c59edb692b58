import { Download as DownloadIcon, SearchX } from 'lucide-react'
import { useId, useState } from 'react'
import type { Download, OfferedModel } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatLicense, groupDigits } from '../../format/index.ts'
import { i18n, useTranslation } from '../../i18n/index.ts'
import {
  Badge,
  Button,
  Card,
  EmptyState,
  ErrorState,
  ExternalLink,
  QuestionBar,
  useQuestion,
} from '../../widgets/index.ts'
import { familiesOf, matching } from './catalogue-filter.ts'
import { useCommand } from './command.ts'
import { Fit } from './Fit.tsx'
import { familyName, hasOwnTerms, termsSentence } from './words.ts'

interface CataloguePanelProps {
  offered: OfferedModel[]
  downloads: Download[]
}

export function CataloguePanel({ offered, downloads }: CataloguePanelProps) {
  const { t } = useTranslation('models')
  const [text, setText] = useState('')
  const [fittingOnly, setFittingOnly] = useState(false)
  const shown = matching(offered, { text, fittingOnly })
  const downloading = new Set(downloads.map(({ modelId }) => modelId))
  return (
    <Card
      id="catalogue"
      title={t('catalogue.title')}
      aside={
        <p className="muted figures" role="status">
          {t('catalogue.shown', { shown: shown.length, total: offered.length })}
        </p>
      }
    >
      <search className="filter">
        <input
          type="search"
          className="field"
          aria-label={t('catalogue.filter')}
          placeholder={t('catalogue.placeholder')}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <label className="filter__check">
          <input
            type="checkbox"
            checked={fittingOnly}
            onChange={(event) => setFittingOnly(event.target.checked)}
          />
          {t('catalogue.fitting')}
        </label>
      </search>
      {shown.length === 0 ? (
        <EmptyState
          icon={SearchX}
          title={offered.length === 0 ? t('catalogue.empty.title') : t('catalogue.noMatch.title')}
        >
          {offered.length === 0 ? t('catalogue.empty.text') : t('catalogue.noMatch.text')}
        </EmptyState>
      ) : (
        familiesOf(shown).map(({ family, models }) => (
          <Family key={family} family={family} models={models} downloading={downloading} />
        ))
      )}
    </Card>
  )
}

interface FamilyProps {
  family: string
  models: OfferedModel[]
  downloading: ReadonlySet<string>
}

function Family({ family, models, downloading }: FamilyProps) {
  const headingId = useId()
  return (
    <section className="family" aria-labelledby={headingId}>
      <h3 className="family__name" id={headingId}>
        {familyName(family, models[0]?.name ?? '')} <span className="muted">{models[0]?.publisher}</span>
      </h3>
      <ul className="rows">
        {models.map((model) => (
          <OfferRow key={model.id} model={model} downloading={downloading.has(model.id)} />
        ))}
      </ul>
    </section>
  )
}

function OfferRow({ model, downloading }: { model: OfferedModel; downloading: boolean }) {
  const { t } = useTranslation('models')
  const { id, name, installed, fit } = model
  const nameId = useId()
  const { running, error, offline, run } = useCommand(`offer ${id}`)
  const accepting = useQuestion()
  const doubts = doubtsAbout(model)
  const download = () => void run('models.add', { source: id })
  return (
    <li className="row model-row" aria-labelledby={nameId}>
      <div className="row__name">
        <h4 id={nameId}>{name}</h4>
        <code className="row__id muted">{id}</code>
      </div>
      <OfferFacts model={model} />
      <Fit fit={fit} />
      <div className="row__actions">
        {installed ? <Badge tone="earning">{t('catalogue.here')}</Badge> : null}
        {downloading && !installed ? <Badge>{t('catalogue.coming')}</Badge> : null}
        {installed || downloading ? null : (
          <Button
            ref={accepting.trigger}
            aria-label={t('catalogue.downloadOf', { name, quantisation: model.quantisation })}
            busy={running !== null}
            disabled={offline || running !== null}
            aria-expanded={doubts.length === 0 ? undefined : accepting.open}
            onClick={doubts.length === 0 ? download : accepting.ask}
          >
            {running === null ? <DownloadIcon size={15} aria-hidden="true" /> : null}
            {t('download')}
          </Button>
        )}
      </div>
      {error === null ? null : <ErrorState error={error} />}
      {accepting.open ? (
        <QuestionBar question={accepting} yes={t('download')} no={t('notNow')} onYes={download}>
          {doubts.join(' ')}
        </QuestionBar>
      ) : null}
    </li>
  )
}

/** What the owner should know before megabytes come over his line. */
function doubtsAbout({ license, fit }: OfferedModel): string[] {
  return [
    ...(hasOwnTerms(license) ? [termsSentence(license)] : []),
    ...(fit.verdict === 'too-large' ? [i18n.t('models:tooLargeNow')] : []),
  ]
}

function OfferFacts({ model }: { model: OfferedModel }) {
  const { t } = useTranslation('models')
  const { quantisation, sizeBytes, contextTokens, license, licenseUrl, hashPinned } = model
  return (
    <ul className="facts figures" aria-label={t('facts')}>
      <li>
        <strong>{quantisation}</strong>
      </li>
      <li>{sizeBytes === null ? t('catalogue.sizeUnknown') : formatBytes(sizeBytes)}</li>
      <li>{t('context', { tokens: groupDigits(contextTokens) })}</li>
      <li>
        <ExternalLink href={licenseUrl}>{formatLicense(license)}</ExternalLink>
        {hasOwnTerms(license) ? <span className="facts__terms"> {t('termsOfItsOwn')}</span> : null}
      </li>
      <li>{hashPinned ? t('hash.pinned') : t('hash.server')}</li>
    </ul>
  )
}
