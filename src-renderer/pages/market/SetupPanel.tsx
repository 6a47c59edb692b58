import { type FormEvent, useEffect, useId, useState } from 'react'
import type { MeshSetup, SettingsView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useMesh, useSettings } from '../../stores/context.tsx'
import { Button, Card, CopyField, ErrorState, Notice, Select } from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'

const REACHES = ['machine', 'local', 'internet'] as const
const PORT_MAX = 65_535
const MESH_SUBJECT = 'mesh'

/** Where others find this host, and where it begins to look for them. */
export function SetupPanel({ mesh }: { mesh: SettingsView['network']['mesh'] }) {
  const { t } = useTranslation('market')
  const addresses = useMesh((state) => state.view?.addresses ?? [])
  return (
    <Card id="market-setup" title={t('setup.title')}>
      {mesh.fixed ? <Notice title={t('setup.fixed')}>{t('setup.fixedText')}</Notice> : null}
      {addresses.length === 0 ? null : (
        <>
          <p className="market__hint">{t('setup.addressesText')}</p>
          <dl className="copy-list">
            {addresses.map((address) => (
              <CopyField key={address} name={t('setup.address')} value={address} />
            ))}
          </dl>
        </>
      )}
      <SetupForm setup={mesh.setup} fixed={mesh.fixed} />
    </Card>
  )
}

function SetupForm({ setup, fixed }: { setup: MeshSetup; fixed: boolean }) {
  const { t } = useTranslation(['market', 'common'])
  const { blocked, running, error, run, forgive } = useSubject(useSettings, MESH_SUBJECT)
  const [form, setForm] = useState(formOf(setup))
  const id = useId()
  const said = JSON.stringify(formOf(setup))

  // What the host says goes before what was left in the form.
  useEffect(() => setForm(JSON.parse(said) as Form), [said])

  const port = Number(form.port)
  const portValid = /^\d{1,5}$/.test(form.port) && port <= PORT_MAX
  const groupValid = /^[a-z0-9-]{1,32}$/.test(form.group)
  const changed = JSON.stringify(form) !== said
  const ready = portValid && groupValid && changed && !blocked && !fixed
  const put = (change: Partial<Form>) => {
    setForm({ ...form, ...change })
    forgive()
  }
  function save(event: FormEvent) {
    event.preventDefault()
    if (!ready) return
    const bootstrap = form.bootstrap.split(/\s+/).filter((line) => line !== '')
    void run('settings.setMesh', { ...setup, port, reach: form.reach, group: form.group, bootstrap })
  }
  return (
    <form className="mesh-setup" onSubmit={save} noValidate>
      <div className="setting">
        <Select
          label={t('setup.reach')}
          options={REACHES.map((value) => ({ value, label: t(`setup.reaches.${value}`) }))}
          value={form.reach}
          disabled={fixed}
          onChange={(reach) => put({ reach })}
        />
        <p className="setting__hint">{t(`setup.reachText.${form.reach}`)}</p>
      </div>
      <div className="setting">
        <label className="setting__label" htmlFor={`${id}-port`}>
          {t('setup.port')}
        </label>
        <input
          id={`${id}-port`}
          className="field"
          inputMode="numeric"
          autoComplete="off"
          value={form.port}
          disabled={fixed}
          aria-invalid={!portValid}
          aria-describedby={`${id}-port-hint`}
          onChange={({ target }) => put({ port: target.value.trim() })}
        />
        <p className="setting__hint" id={`${id}-port-hint`}>
          {portValid ? t('setup.portHint') : t('common:numberInRange', { min: 0, max: PORT_MAX })}
        </p>
      </div>
      <div className="setting">
        <label className="setting__label" htmlFor={`${id}-group`}>
          {t('setup.group')}
        </label>
        <input
          id={`${id}-group`}
          className="field"
          autoComplete="off"
          value={form.group}
          disabled={fixed}
          aria-invalid={!groupValid}
          aria-describedby={`${id}-group-hint`}
          onChange={({ target }) => put({ group: target.value.trim() })}
        />
        <p className="setting__hint" id={`${id}-group-hint`}>
          {t('setup.groupHint')}
        </p>
      </div>
      <div className="setting mesh-setup__wide">
        <label className="setting__label" htmlFor={`${id}-bootstrap`}>
          {t('setup.bootstrap')}
        </label>
        <textarea
          id={`${id}-bootstrap`}
          className="field mesh-setup__list"
          rows={3}
          autoComplete="off"
          spellCheck={false}
          value={form.bootstrap}
          disabled={fixed}
          aria-describedby={`${id}-bootstrap-hint`}
          onChange={({ target }) => put({ bootstrap: target.value })}
        />
        <p className="setting__hint" id={`${id}-bootstrap-hint`}>
          {t('setup.bootstrapHint')}
        </p>
      </div>
      <div className="mesh-setup__wide">
        <Button
          type="submit"
          look={ready ? 'accent' : 'quiet'}
          busy={running !== null}
          disabled={!ready}
          aria-label={t('setup.save')}
        >
          {t('common:save')}
        </Button>
      </div>
      {error === null ? null : (
        <div className="mesh-setup__wide">
          <ErrorState error={error} />
        </div>
      )}
    </form>
  )
}

interface Form {
  port: string
  reach: MeshSetup['reach']
  group: string
  /** One address on each line. */
  bootstrap: string
}

const formOf = ({ port, reach, group, bootstrap }: MeshSetup): Form => ({
  port: String(port),
  reach,
  group,
  bootstrap: bootstrap.join('\n'),
})
