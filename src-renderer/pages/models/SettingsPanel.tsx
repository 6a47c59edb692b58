import type { ModelsView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { Card, OptionalNumber } from '../../widgets/index.ts'
import { useCommand } from './command.ts'

const BYTES_PER_MB = 1e6

export function SettingsPanel({ settings }: { settings: ModelsView['settings'] }) {
  const { t } = useTranslation('models')
  const power = useCommand('setting power')
  const rate = useCommand('setting download-rate')
  const { declaredPowerW, downloadBytesPerSecond } = settings
  return (
    <Card id="settings" title={t('settings.title')}>
      <div className="settings">
        <OptionalNumber
          label={t('settings.power.label')}
          hint={t('settings.power.hint')}
          none={t('settings.power.none')}
          some={t('settings.power.some')}
          unit={t('settings.power.unit')}
          min={1}
          max={10_000}
          step={1}
          proposal={100}
          value={declaredPowerW}
          busy={power.running !== null}
          disabled={power.offline}
          error={power.error}
          onSave={(watts) => void power.run('models.configure', { declaredPowerW: watts })}
        />
        <OptionalNumber
          label={t('settings.rate.label')}
          hint={t('settings.rate.hint')}
          none={t('settings.rate.none')}
          some={t('settings.rate.some')}
          unit="MB/s"
          min={0.1}
          max={10_000}
          step={0.1}
          proposal={10}
          value={downloadBytesPerSecond === null ? null : downloadBytesPerSecond / BYTES_PER_MB}
          busy={rate.running !== null}
          disabled={rate.offline}
          error={rate.error}
          onSave={(megabytes) =>
            void rate.run('models.configure', {
              downloadBytesPerSecond: megabytes === null ? null : Math.round(megabytes * BYTES_PER_MB),
            })
          }
        />
      </div>
    </Card>
  )
}
