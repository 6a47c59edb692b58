import { Plus } from 'lucide-react'
import { type FormEvent, useId, useRef, useState } from 'react'
import type { ModelsView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useModels } from '../../stores/context.tsx'
import { Button, Card, ErrorState, QuestionBar, useQuestion } from '../../widgets/index.ts'
import { useCommand } from './command.ts'
import { hasOwnTerms, termsSentence } from './words.ts'

const examples = [
  { form: 'qwen2.5:0.5b', means: 'catalogue' },
  { form: 'hf:owner/repo:Q4_K_M', means: 'repository' },
  {
    form: 'https://server/model.gguf#sha256=…',
    means: 'address',
  },
  { form: '/full/path/model.gguf', means: 'file' },
] as const

export function AddPanel() {
  const { t } = useTranslation('models')
  const [source, setSource] = useState('')
  const [added, setAdded] = useState<string | null>(null)
  const view = useModels((state) => state.view)
  const { running, error, offline, run } = useCommand('add')
  const forgive = useModels((state) => state.forgive)
  const accepting = useQuestion()
  const field = useRef<HTMLInputElement>(null)
  const fieldId = useId()
  const errorId = useId()
  const typed = source.trim()
  const ownTerms = view === null ? null : ownTermsOf(typed, view)
  const ready = typed !== '' && running === null && !offline

  async function add() {
    setAdded(null)
    if (await run('models.add', { source: typed })) {
      setSource('')
      setAdded(t('add.done', { source: typed }))
    }
    field.current?.focus()
  }

  function submit(event: FormEvent) {
    event.preventDefault()
    if (!ready) return
    if (ownTerms === null) void add()
    else accepting.ask()
  }

  return (
    <Card id="add" title={t('add.title')}>
      <form className="add" onSubmit={submit}>
        <label htmlFor={fieldId}>{t('add.label')}</label>
        <div className="add__fields">
          <input
            ref={field}
            id={fieldId}
            className="field"
            type="text"
            spellCheck={false}
            autoCapitalize="off"
            autoComplete="off"
            maxLength={4_096}
            placeholder={examples[1]?.form}
            value={source}
            aria-invalid={error !== null}
            aria-describedby={error === null ? undefined : errorId}
            onChange={(event) => {
              setSource(event.target.value)
              forgive('add')
            }}
          />
          <Button
            ref={accepting.trigger}
            type="submit"
            look="accent"
            busy={running !== null}
            disabled={!ready}
          >
            {running === null ? <Plus size={16} aria-hidden="true" /> : null}
            {t('add.button')}
          </Button>
        </div>
      </form>
      {accepting.open ? (
        <QuestionBar question={accepting} yes={t('download')} no={t('notNow')} onYes={() => void add()}>
          {ownTerms}
        </QuestionBar>
      ) : null}
      <div id={errorId}>{error === null ? null : <ErrorState error={error} />}</div>
      <p role="status" className="add__done">
        {added}
      </p>
      <dl className="add__forms">
        {examples.map(({ form, means }) => (
          <div key={form}>
            <dt>
              <code>{form}</code>
            </dt>
            <dd className="muted">{t(`add.means.${means}`)}</dd>
          </div>
        ))}
      </dl>
    </Card>
  )
}

/** What to accept before a download; null for a licence that asks nothing unusual, or one that is not known here. */
function ownTermsOf(typed: string, { offered }: ModelsView): string | null {
  const id = typed.toLowerCase()
  const model = offered.find((offer) => offer.id === id || offer.id.startsWith(`${id}-`))
  return model !== undefined && hasOwnTerms(model.license) ? termsSentence(model.license) : null
}
