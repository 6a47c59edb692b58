import { useEffect } from 'react'
import type { ApiKey, MeshView, OwnerValues } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useKeys, useMesh, useOwner } from '../../stores/context.tsx'
import { Card, ErrorState, OptionalNumber, Segmented, Switch } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { useSubject } from '../use-subject.ts'
import { useWanted } from '../use-wanted.ts'

const ROUTINGS = ['cost', 'balanced', 'quality'] as const
const PRICE = { least: 0.01, most: 100, proposal: 2 }

/** Whose questions may leave this machine, and to whom they go. */
export function RulesPanel({ view }: { view: MeshView }) {
  const { t } = useTranslation('market')
  const values = useOwner((state) => state.view?.values.mesh)
  const { loadError, load } = useOwner((state) => state)
  const loadKeys = useKeys((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')
  useEffect(() => {
    if (offline) return
    return readNowAndThen(() => {
      void load()
      void loadKeys()
    }, document)
  }, [offline, load, loadKeys])
  return (
    <Card id="market-rules" title={t('rules.title')}>
      <p className="market__hint">{t('rules.text')}</p>
      {values === undefined ? (
        <Pending what={t('rules.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          <OwnQuestions values={values} />
          <GuestKeys allowed={view.standing.allowedKeys} />
          <div className="market__rules">
            <Routing values={values} />
            <PriceLimit values={values} />
          </div>
        </>
      )}
    </Card>
  )
}

type Values = OwnerValues['mesh']

function OwnQuestions({ values }: { values: Values }) {
  const { t } = useTranslation('market')
  const { blocked, error, run } = useSubject(useOwner, 'mesh.send_prompts')
  return (
    <>
      <Switch
        label={t('rules.own')}
        hint={t('rules.ownHint')}
        on={values.send_prompts}
        disabled={blocked}
        onChange={(on) => void run('console.set', { changes: [{ key: 'mesh.send_prompts', value: on }] })}
      />
      {error === null ? null : <ErrorState error={error} />}
    </>
  )
}

function GuestKeys({ allowed }: { allowed: readonly string[] }) {
  const { t } = useTranslation('market')
  const { view, loadError, load } = useKeys((state) => state)
  if (view === null)
    return <Pending what={t('rules.keysWhat')} error={loadError} onRetry={() => void load()} />
  return (
    <fieldset className="market__keys">
      <legend>{t('rules.keys')}</legend>
      {view.keys.length === 0 ? (
        <p className="muted market__hint">
          {t('rules.noKeys')} <a href="#/keys">{t('rules.toKeys')}</a>
        </p>
      ) : (
        view.keys.map((key) => (
          <GuestKey key={key.tokenHash} apiKey={key} allowed={allowed.includes(key.nodeId)} />
        ))
      )}
    </fieldset>
  )
}

function GuestKey({ apiKey: { label, nodeId }, allowed }: { apiKey: ApiKey; allowed: boolean }) {
  const { t } = useTranslation(['market', 'keys'])
  const { blocked, error, run } = useSubject(useMesh, `key ${nodeId}`)
  return (
    <>
      <Switch
        label={label === '' ? t('keys:unnamed') : label}
        on={allowed}
        disabled={blocked}
        onChange={(on) => void run('mesh.allowKey', { consumer: nodeId, allowed: on })}
      />
      {error === null ? null : <ErrorState error={error} />}
    </>
  )
}

function Routing({ values }: { values: Values }) {
  const { t } = useTranslation('market')
  const { running, error, run } = useSubject(useOwner, 'mesh.routing')
  const [shown, choose] = useWanted(values.routing, running !== null, (routing) =>
    run('console.set', { changes: [{ key: 'mesh.routing', value: routing }] }),
  )
  return (
    <div className="setting">
      <p className="setting__label">{t('rules.routing')}</p>
      <div className="setting__fields">
        <Segmented
          label={t('rules.routing')}
          options={ROUTINGS.map((value) => ({ value, content: t(`rules.routings.${value}`) }))}
          value={shown}
          onChange={choose}
        />
      </div>
      <p className="setting__hint">{t(`rules.routingText.${shown}`)}</p>
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}

function PriceLimit({ values }: { values: Values }) {
  const { t } = useTranslation('market')
  const { offline, running, error, run } = useSubject(useOwner, 'mesh.max_price')
  return (
    <OptionalNumber
      label={t('rules.limit')}
      hint={t('rules.limitHint')}
      none={t('rules.limitNone')}
      some={t('rules.limitSome')}
      unit={t('rules.limitUnit')}
      min={PRICE.least}
      max={PRICE.most}
      step="any"
      proposal={PRICE.proposal}
      value={values.max_price}
      busy={running !== null}
      disabled={offline}
      error={error}
      onSave={(limit) => void run('console.set', { changes: [{ key: 'mesh.max_price', value: limit }] })}
    />
  )
}
