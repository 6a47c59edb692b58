import { AppWindow } from 'lucide-react'
import type { AppSettingsChange, AppView } from '../../../src-preload/contract/index.ts'
import { formatMoment } from '../../format/index.ts'
import { hostWords, useTranslation } from '../../i18n/index.ts'
import { useApp, useConnection } from '../../stores/context.tsx'
import {
  Button,
  Card,
  EmptyState,
  ErrorState,
  Notice,
  QuestionBar,
  Segmented,
  Share,
  Switch,
  useQuestion,
} from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { useSubject } from '../use-subject.ts'

type Available = Extract<AppView, { available: true }>
type Saying = Available['update']['saying']

const said = ({ code, sentence, parameters }: Saying): string => hostWords(code, sentence, parameters)

/** Start at login, tray, notifications and updates: the desktop app's own, which a browser cannot set. */
export function AppPanel() {
  const { t } = useTranslation('settings')
  const view = useApp((state) => state.view)
  const loadError = useApp((state) => state.loadError)
  const load = useApp((state) => state.load)
  return (
    <>
      <Card id="app" title={t('app.title')}>
        {view === null ? (
          <Pending what={t('app.what')} error={loadError} onRetry={() => void load()} />
        ) : view.available ? (
          <AppSwitches view={view} />
        ) : (
          <EmptyState icon={AppWindow} title={t('app.notHere')}>
            {said(view.saying)} {t('app.notHereText')}
          </EmptyState>
        )}
      </Card>
      {view?.available ? <UpdatesCard view={view} /> : null}
    </>
  )
}

function useAppSettings() {
  const { blocked, error, run } = useSubject(useApp, 'settings')
  return { blocked, error, set: (change: AppSettingsChange) => void run('app.set', change) }
}

function AppSwitches({ view }: { view: Available }) {
  const { t } = useTranslation('settings')
  const { blocked, error, set } = useAppSettings()
  const { settings, loginProblem, hasTray } = view
  const { notifications } = settings
  return (
    <div className="fields">
      <Switch
        label={t('app.startAtLogin')}
        hint={loginProblem === null ? t('app.startAtLoginHint') : said(loginProblem)}
        on={settings.startAtLogin}
        disabled={blocked || loginProblem !== null}
        onChange={(startAtLogin) => set({ startAtLogin })}
      />
      <Switch
        label={t('app.closeToTray')}
        hint={hasTray ? t('app.closeToTrayHint') : t('app.noTray')}
        on={settings.closeToTray && hasTray}
        disabled={blocked || !hasTray}
        onChange={(closeToTray) => set({ closeToTray })}
      />
      {(['firstEarning', 'sentinelRed', 'updateReady'] as const).map((name) => (
        <Switch
          key={name}
          label={t(`app.notify.${name}`)}
          on={notifications[name]}
          disabled={blocked}
          onChange={(on) => set({ notifications: { [name]: on } })}
        />
      ))}
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}

function UpdatesCard({ view }: { view: Available }) {
  const { t } = useTranslation('settings')
  const { blocked, error, set } = useAppSettings()
  const action = useSubject(useApp, 'update')
  const offline = useConnection((state) => state.phase === 'offline')
  const installing = useQuestion()
  const { update, settings, safeMode, note } = view
  const { updates } = settings
  const update_ = (what: 'check' | 'install') => void action.run('app.update', { action: what })
  return (
    <Card id="updates" title={t('updates.title')}>
      {safeMode === null ? null : (
        <Notice title={t('updates.safeMode')}>
          {said(safeMode)}{' '}
          <Button disabled={offline} onClick={() => void action.run('app.leaveSafeMode', {})}>
            {t('updates.leaveSafeMode')}
          </Button>
        </Notice>
      )}
      {note === null ? null : <Notice title={t('updates.note')}>{said(note)}</Notice>}
      <div className="updates__now">
        <p role="status">
          {said(update.saying)}
          <span className="muted updates__version">
            {t('updates.version', { version: update.currentVersion })}
            {update.lastCheckAtMs === null
              ? ''
              : ` · ${t('updates.checked', { date: formatMoment(update.lastCheckAtMs) })}`}
          </span>
        </p>
        {update.state === 'ready' ? (
          <Button
            ref={installing.trigger}
            look="accent"
            aria-expanded={installing.open}
            disabled={offline}
            onClick={installing.ask}
          >
            {t('updates.install')}
          </Button>
        ) : (
          <Button
            busy={action.running !== null}
            disabled={action.blocked || update.state === 'unsupported' || update.state === 'checking'}
            onClick={() => update_('check')}
          >
            {t('updates.check')}
          </Button>
        )}
      </div>
      {update.progress === null ? null : <Share of={update.progress} total={1} />}
      {installing.open ? (
        <QuestionBar
          question={installing}
          yes={t('updates.install')}
          no={t('updates.later')}
          onYes={() => update_('install')}
        >
          {t('updates.question')}
        </QuestionBar>
      ) : null}
      {action.error === null ? null : <ErrorState error={action.error} />}
      <div className="fields">
        <Switch
          label={t('updates.enabled')}
          hint={t('updates.enabledHint')}
          on={updates.enabled}
          disabled={blocked}
          onChange={(enabled) => set({ updates: { enabled } })}
        />
        <Switch
          label={t('updates.onMetered')}
          on={updates.onMetered}
          disabled={blocked}
          onChange={(onMetered) => set({ updates: { onMetered } })}
        />
        <div className="setting">
          <p className="setting__label">{t('updates.channel')}</p>
          <div className="setting__fields">
            <Segmented
              label={t('updates.channelLabel')}
              options={(['stable', 'beta'] as const).map((value) => ({
                value,
                content: t(`updates.channels.${value}`),
              }))}
              value={updates.channel}
              onChange={(channel) => set({ updates: { channel } })}
            />
          </div>
          <p className="setting__hint">{t('updates.channelHint')}</p>
        </div>
      </div>
      {error === null ? null : <ErrorState error={error} />}
    </Card>
  )
}
