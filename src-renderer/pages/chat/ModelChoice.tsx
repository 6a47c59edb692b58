import { useEffect } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { isBusy } from '../../stores/chat.ts'
import { useChat, useConnection, useModels, useStatus } from '../../stores/context.tsx'
import { describeHost } from '../../stores/host-state.ts'
import { ErrorState, Select } from '../../widgets/index.ts'

/** Where what was asked about the choice of a model in the chat is kept. */
const SUBJECT = 'chat'

/** The machine serves one model at a time: choosing another one here loads it for guests, too. */
export function ModelChoice() {
  const { t } = useTranslation('chat')
  const view = useModels((state) => state.view)
  const load = useModels((state) => state.load)
  const command = useModels((state) => state.command)
  const asked = useModels((state) => state.commands[SUBJECT])
  const status = useStatus((state) => state.status)
  const loadError = useStatus((state) => state.loadError)
  const phase = useConnection((state) => state.phase)
  const busy = useChat(isBusy)
  useEffect(() => void load(), [load])

  const installed = view?.installed ?? []
  const chosen = installed.find(({ chosen: isChosen }) => isChosen)
  const switching = asked?.phase === 'running'
  const known = installed.map(({ id, name }) => ({ value: id, label: name }))
  const model = status?.model ?? null
  const none = status === null ? describeHost(phase, { status, loadError }).label : t('noModel')
  const options = chosen === undefined ? [{ value: '', label: model?.name ?? none }, ...known] : known
  return (
    <div className="chat__model">
      <Select
        label={t('model')}
        options={options}
        value={chosen?.id ?? ''}
        disabled={phase === 'offline' || busy || switching || known.length === 0}
        onChange={(id) => {
          if (id !== '' && id !== chosen?.id) void command(SUBJECT, 'models.load', { id })
        }}
      />
      <p role="status" className="chat__note">
        {switching ? t('switching') : model?.demonstration ? t('concierge') : null}
      </p>
      {asked?.phase === 'failed' ? <ErrorState error={asked.error} /> : null}
    </div>
  )
}
