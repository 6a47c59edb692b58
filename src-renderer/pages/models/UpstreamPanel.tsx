import { Link2, List } from 'lucide-react'
import { type FormEvent, useId, useState } from 'react'
import type { ModelsView, PublicErrorData } from '../../../src-preload/contract/index.ts'
import { toPublicError } from '../../client/index.ts'
import { formatNumber } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useModels } from '../../stores/context.tsx'
import { Badge, Button, Card, ErrorState, Stat } from '../../widgets/index.ts'
import { useCommand } from './command.ts'

type Upstream = NonNullable<ModelsView['upstream']>

/** Another server with OpenAI's API in the place of this machine's engine. */
export function UpstreamPanel({ upstream }: { upstream: ModelsView['upstream'] }) {
  const { t } = useTranslation('models')
  return (
    <Card
      id="upstream"
      title={t('upstream.title')}
      aside={upstream === null ? null : <Badge tone="earning">{t('upstream.inUse')}</Badge>}
    >
      <p className="muted">{t('upstream.intro')}</p>
      {upstream === null ? null : <Connected upstream={upstream} />}
      <ConnectForm />
    </Card>
  )
}

function Connected({ upstream: { baseUrl, model, parameters, slots, hasKey } }: { upstream: Upstream }) {
  const { t } = useTranslation('models')
  return (
    <>
      <dl className="stats figures">
        <Stat label={t('upstream.address')}>{baseUrl}</Stat>
        <Stat label={t('upstream.model')}>{model}</Stat>
        <Stat label={t('upstream.parameters')}>
          {parameters === null ? t('upstream.fromFile') : formatNumber(parameters / BILLION)}
        </Stat>
        <Stat label={t('upstream.slots')}>{slots}</Stat>
        <Stat label={t('upstream.key')}>{hasKey ? t('upstream.kept') : t('upstream.noKey')}</Stat>
      </dl>
      <p className="muted">{t('upstream.back')}</p>
    </>
  )
}

const BILLION = 1e9
const EXAMPLE = {
  address: 'http://127.0.0.1:8000/v1',
  model: 'Qwen/Qwen2.5-7B-Instruct',
  billions: '7.6',
}

/** `7.6` or `7,6`; null for what is no positive number of weights. */
export function weightsOf(billions: string): number | null {
  const weights = Math.round(Number(billions.trim().replace(',', '.')) * BILLION)
  return Number.isSafeInteger(weights) && weights > 0 ? weights : null
}

function ConnectForm() {
  const { t } = useTranslation('models')
  const [baseUrl, setBaseUrl] = useState('')
  const [apiKey, setApiKey] = useState('')
  const [model, setModel] = useState('')
  const [billions, setBillions] = useState('')
  const listing = useListing()
  const { running, error, offline, run } = useCommand('upstream')
  const forgive = useModels((state) => state.forgive)
  const listId = useId()
  const parameters = weightsOf(billions)
  const server = { baseUrl: baseUrl.trim(), ...(apiKey === '' ? {} : { apiKey }) }
  const blocked = running !== null || offline
  const ready = server.baseUrl !== '' && model.trim() !== '' && parameters !== null && !blocked

  async function connect(event: FormEvent) {
    event.preventDefault()
    if (!ready || parameters === null) return
    if (!(await run('models.connect', { ...server, model: model.trim(), parameters }))) return
    setApiKey('')
  }
  const changing = (set: (text: string) => void) => (text: string) => {
    set(text)
    forgive('upstream')
  }

  return (
    <form className="upstream" onSubmit={(event) => void connect(event)}>
      <TextField
        label={t('upstream.address')}
        placeholder={EXAMPLE.address}
        value={baseUrl}
        onChange={changing(setBaseUrl)}
      />
      <TextField
        label={t('upstream.keyOptional')}
        type="password"
        value={apiKey}
        onChange={changing(setApiKey)}
      />
      <div className="upstream__model">
        <TextField
          label={t('upstream.model')}
          placeholder={EXAMPLE.model}
          list={listId}
          value={model}
          onChange={changing(setModel)}
        />
        <Button
          busy={listing.running}
          disabled={server.baseUrl === '' || blocked || listing.running}
          onClick={() => void listing.list(server)}
        >
          {listing.running ? null : <List size={15} aria-hidden="true" />}
          {t('upstream.list')}
        </Button>
        <datalist id={listId}>
          {listing.models?.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </div>
      <p role="status" className="muted">
        {listing.models === null ? null : t('upstream.listed', { names: listing.models.join(', ') })}
      </p>
      {listing.error === null ? null : <ErrorState error={listing.error} />}
      <TextField
        label={t('upstream.parametersLabel')}
        hint={t('upstream.parametersHint')}
        placeholder={EXAMPLE.billions}
        inputMode="decimal"
        value={billions}
        invalid={billions !== '' && parameters === null}
        onChange={changing(setBillions)}
      />
      <Button type="submit" look="accent" busy={running !== null} disabled={!ready}>
        {running === null ? <Link2 size={16} aria-hidden="true" /> : null}
        {t('upstream.connect')}
      </Button>
      {error === null ? null : <ErrorState error={error} />}
    </form>
  )
}

function useListing() {
  const ask = useModels((state) => state.listUpstream)
  const [running, setRunning] = useState(false)
  const [models, setModels] = useState<string[] | null>(null)
  const [error, setError] = useState<PublicErrorData | null>(null)
  const list = async (server: Parameters<typeof ask>[0]) => {
    setRunning(true)
    setError(null)
    setModels(null)
    try {
      setModels(await ask(server))
    } catch (cause) {
      setError(toPublicError(cause))
    } finally {
      setRunning(false)
    }
  }
  return { running, models, error, list }
}

interface TextFieldProps {
  label: string
  value: string
  onChange: (text: string) => void
  hint?: string
  type?: 'text' | 'password'
  placeholder?: string
  inputMode?: 'decimal'
  list?: string
  invalid?: boolean
}

function TextField({ label, value, onChange, hint, invalid = false, ...input }: TextFieldProps) {
  const id = useId()
  const hintId = useId()
  return (
    <div className="upstream__field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="field"
        type="text"
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        {...input}
        value={value}
        aria-invalid={invalid}
        aria-describedby={hint === undefined ? undefined : hintId}
        onChange={(event) => onChange(event.target.value)}
      />
      {hint === undefined ? null : (
        <p id={hintId} className="muted">
          {hint}
        </p>
      )}
    </div>
  )
}
