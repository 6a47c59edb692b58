import type { ModelsView } from '../../../src-preload/contract/index.ts'
import { Card, OptionalNumber } from '../../widgets/index.ts'
import { useCommand } from './command.ts'

const BYTES_PER_MB = 1e6

export function SettingsPanel({ settings }: { settings: ModelsView['settings'] }) {
  const power = useCommand('setting power')
  const rate = useCommand('setting download-rate')
  const { declaredPowerW, downloadBytesPerSecond } = settings
  return (
    <Card id="settings" title="Settings">
      <div className="settings">
        <OptionalNumber
          label="Power while it computes"
          hint="What a power meter at the plug shows. It is used only where there is no sensor; a measured value always goes first."
          none="Not declared"
          some="Declared"
          unit="watts"
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
          label="Speed of downloads"
          hint="For all downloads together. It holds at once, for those that run too."
          none="No limit"
          some="At most"
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
