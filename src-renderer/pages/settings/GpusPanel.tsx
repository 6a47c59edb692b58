import type { GpuRule, HardwareInfo } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useEarningPolicy, useStatus } from '../../stores/context.tsx'
import { Card, ErrorState, OptionalNumber, Switch } from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'

const MEMORY_MAX_GIB = 4_096
const [TEMPERATURE_MIN_C, TEMPERATURE_MAX_C, TEMPERATURE_USUAL_C] = [30, 120, 83]

/** Which GPUs the engine may use, and how far. */
export function GpusPanel() {
  const { t } = useTranslation('settings')
  const gpus = useStatus((state) => state.status?.hardware?.gpus)
  const rules = useEarningPolicy((state) => state.view?.policy.gpus)
  if (gpus === undefined || rules === undefined) return null
  return (
    <Card id="gpus" title={t('gpus.title')}>
      <p className="muted hint">{t('gpus.text')}</p>
      {gpus.length === 0 ? <p>{t('gpus.none')}</p> : null}
      {gpus.map((gpu) => (
        <OneGpu key={gpu.id} gpu={gpu} rules={rules} />
      ))}
    </Card>
  )
}

function OneGpu({ gpu, rules }: { gpu: HardwareInfo['gpus'][number]; rules: readonly GpuRule[] }) {
  const { t } = useTranslation('settings')
  const { blocked, offline, running, error, run } = useSubject(useEarningPolicy, `gpu ${gpu.id}`)
  const free: GpuRule = { id: gpu.id, use: true, maxMemoryGib: null, maxTemperatureC: null }
  const rule = rules.find(({ id }) => id === gpu.id) ?? free
  const set = (change: Partial<GpuRule>) => {
    const others = rules.filter(({ id }) => id !== gpu.id)
    void run('earning.setPolicy', { gpus: [...others, { ...rule, ...change }] })
  }
  const busy = running !== null
  return (
    <div className="fields">
      <div className="field-row">
        <Switch
          label={t('gpus.use', { gpu: gpu.name })}
          hint={
            <>
              {t('gpus.useHint')} <code className="field-key">{gpu.id}</code>
            </>
          }
          on={rule.use}
          disabled={blocked}
          onChange={(use) => set({ use })}
        />
      </div>
      {rule.use ? (
        <>
          <OptionalNumber
            label={t('gpus.memory')}
            hint={t('gpus.memoryHint')}
            none={t('gpus.free')}
            some={t('field.some')}
            unit="GiB"
            min={0.001}
            max={MEMORY_MAX_GIB}
            step="any"
            proposal={Math.max(1, Math.floor((gpu.vramTotalBytes ?? 0) / 2 ** 31))}
            value={rule.maxMemoryGib}
            busy={busy}
            disabled={offline}
            error={null}
            onSave={(maxMemoryGib) => set({ maxMemoryGib })}
          />
          <OptionalNumber
            label={t('gpus.temperature')}
            hint={t('gpus.temperatureHint')}
            none={t('gpus.asAll')}
            some={t('field.some')}
            unit="°C"
            min={TEMPERATURE_MIN_C}
            max={TEMPERATURE_MAX_C}
            step={1}
            proposal={TEMPERATURE_USUAL_C}
            value={rule.maxTemperatureC}
            busy={busy}
            disabled={offline}
            error={null}
            onSave={(maxTemperatureC) => set({ maxTemperatureC })}
          />
        </>
      ) : null}
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}
