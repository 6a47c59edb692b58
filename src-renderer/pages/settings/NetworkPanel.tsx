import { type FormEvent, useEffect, useId, useState } from 'react'
import type { SettingsView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useSettings, useStatus } from '../../stores/context.tsx'
import { Badge, Button, Card, CopyField, ErrorState, Notice, Select } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { RestartButton } from '../RestartButton.tsx'
import { useSubject } from '../use-subject.ts'

const LOOPBACK = '127.0.0.1'
const EVERYWHERE = '0.0.0.0'
const PORT_MAX = 65_535

/** Who can reach the API, and where; the market of other hosts has a page of its own. */
export function NetworkPanel() {
  const { t } = useTranslation('settings')
  const { view, loadError, load } = useSettings((state) => state)
  const apiBaseUrl = useStatus((state) => state.status?.apiBaseUrl ?? '')
  const network = view?.network
  return (
    <Card
      id="network"
      title={t('network.title')}
      aside={network === undefined ? null : <Reach {...network} />}
    >
      {network === undefined ? (
        <Pending what={t('network.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {apiBaseUrl === '' ? (
            <p className="hint">{t('network.silentText')}</p>
          ) : (
            <dl className="copy-list">
              <CopyField name={t('network.api')} what={t('network.address')} value={apiBaseUrl} />
            </dl>
          )}
          <p className="hint">{t(network.loopbackOnly ? 'network.closedText' : 'network.openText')}</p>
          <ApiProblem api={network.api} />
          <ApiForm api={network.api} />
          <RestartWaiting />
          <h3 className="sub">{t('network.market')}</h3>
          <p className="muted hint">
            {t('network.marketText')} <a href="#/market">{t('network.toMarket')}</a>
          </p>
          <h3 className="sub">{t('network.upstream')}</h3>
          {network.upstream === null ? (
            <p className="muted hint">{t('network.noUpstream')}</p>
          ) : (
            <p className="hint">
              {t('network.upstreamIs', { model: network.upstream.model })}{' '}
              <code>{network.upstream.baseUrl}</code>
            </p>
          )}
        </>
      )}
    </Card>
  )
}

type Network = SettingsView['network']

function Reach({ address, loopbackOnly }: Network) {
  const { t } = useTranslation('settings')
  if (address === '') return <Badge tone="warn">{t('network.silent')}</Badge>
  return (
    <Badge tone={loopbackOnly ? 'earning' : 'warn'}>
      {t(loopbackOnly ? 'network.closed' : 'network.open')}
    </Badge>
  )
}

function ApiProblem({ api: { problem } }: { api: Network['api'] }) {
  const { t } = useTranslation('settings')
  if (problem === null) return null
  return (
    <>
      <Notice title={t('network.problem')}>{t('network.fallback')}</Notice>
      <ErrorState error={problem} />
    </>
  )
}

/** The chosen address and port. What the command line says cannot be chosen. */
function ApiForm({ api: { chosen, fixed, addresses } }: { api: Network['api'] }) {
  const { t } = useTranslation(['settings', 'common'])
  const { blocked, running, error, run, forgive } = useSubject(useSettings, 'api')
  const [address, setAddress] = useState(chosen.address)
  const [port, setPort] = useState(String(chosen.port))
  const id = useId()

  // What the host says goes before what was left in the form.
  useEffect(() => {
    setAddress(chosen.address)
    setPort(String(chosen.port))
  }, [chosen.address, chosen.port])

  const valid = /^\d{1,5}$/.test(port) && Number(port) <= PORT_MAX
  const ready = valid && !blocked && (address !== chosen.address || Number(port) !== chosen.port)
  const options = [...new Set([...addresses, chosen.address])].map((value) => ({
    value,
    label:
      value === LOOPBACK
        ? t('network.addresses.loopback')
        : value === EVERYWHERE
          ? t('network.addresses.everywhere')
          : t('network.addresses.one', { address: value }),
  }))
  function save(event: FormEvent) {
    event.preventDefault()
    if (ready) void run('settings.setApi', { address, port: Number(port) })
  }
  return (
    <form className="api-address" onSubmit={save} noValidate>
      <h3 className="sub">{t('network.where')}</h3>
      {fixed.address || fixed.port ? (
        <p className="muted hint">
          <strong>{t('network.fixed')}</strong> {t('network.fixedText')}
        </p>
      ) : null}
      <div className="api-address__fields">
        <Select
          label={t('network.addressLabel')}
          options={options}
          value={address}
          disabled={fixed.address}
          onChange={(next) => {
            setAddress(next)
            forgive()
          }}
        />
        <div className="setting api-address__port">
          <label className="setting__label" htmlFor={id}>
            {t('network.portLabel')}
          </label>
          <input
            id={id}
            className="field"
            inputMode="numeric"
            autoComplete="off"
            value={port}
            disabled={fixed.port}
            aria-invalid={!valid}
            aria-describedby={`${id}-hint`}
            onChange={({ target }) => {
              setPort(target.value.trim())
              forgive()
            }}
          />
        </div>
        <Button
          type="submit"
          look={ready ? 'accent' : 'quiet'}
          busy={running !== null}
          disabled={!ready}
          aria-label={t('network.saveAddress')}
        >
          {t('common:save')}
        </Button>
      </div>
      <p className="muted hint" id={`${id}-hint`}>
        {valid ? t('network.portHint') : t('common:numberInRange', { min: 0, max: PORT_MAX })}{' '}
        {address === LOOPBACK ? null : t('network.cleartext')}
      </p>
      {error === null ? null : <ErrorState error={error} />}
    </form>
  )
}

/** Only what was chosen here: a restore that waits has its own place. */
function RestartWaiting() {
  const { t } = useTranslation('settings')
  const view = useSettings((state) => state.view)
  if (view === null || !view.restart.needed || view.backup.pending !== null) return null
  return (
    <>
      <Notice title={t('network.waiting')}>{t('network.waitingText')}</Notice>
      <RestartButton />
    </>
  )
}
