import { CircleCheck, Cpu, MemoryStick, TriangleAlert } from 'lucide-react'
import { formatMemory } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useStatus } from '../../stores/context.tsx'
import { Badge } from '../../widgets/index.ts'
import { computeWords } from '../compute-words.ts'
import { Pending } from '../Pending.tsx'

export function MachineStep() {
  const { t } = useTranslation('first-run')
  const { status, loadError, load } = useStatus((state) => state)
  const hardware = status?.hardware
  if (!hardware) {
    return <Pending what={t('machine.what')} error={loadError} onRetry={() => void load()} />
  }
  const { gpus, cpu, memoryTotalBytes, compute } = hardware
  const words = computeWords(compute)
  const hasGpu = compute.expectedBackend !== 'cpu'
  const Verdict = compute.degraded || !hasGpu ? TriangleAlert : CircleCheck
  return (
    <>
      <ul className="guide__facts">
        {gpus.map((gpu) => (
          <li key={gpu.id}>
            <Cpu className="guide__icon" size={20} aria-hidden="true" />
            <span>
              <strong>{gpu.name}</strong>
              <span className="muted guide__note">
                {gpu.vramTotalBytes === null
                  ? t('machine.vramUnknown')
                  : t(gpu.isUnified ? 'machine.shared' : 'machine.vram', {
                      size: formatMemory(gpu.vramTotalBytes),
                    })}
              </span>
            </span>
            <Badge tone={hasGpu ? 'earning' : 'warn'}>{t(hasGpu ? 'machine.used' : 'machine.unused')}</Badge>
          </li>
        ))}
        <li>
          <Cpu className="guide__icon" size={20} aria-hidden="true" />
          <span>
            <strong>{cpu.model}</strong>
            <span className="muted guide__note">{t('machine.cores', { count: cpu.cores })}</span>
          </span>
        </li>
        <li>
          <MemoryStick className="guide__icon" size={20} aria-hidden="true" />
          <span>
            <strong>{formatMemory(memoryTotalBytes)}</strong>
            <span className="muted guide__note">{t('machine.memory')}</span>
          </span>
        </li>
      </ul>
      <div className="guide__verdict" data-good={hasGpu && !compute.degraded}>
        <Verdict size={20} aria-hidden="true" />
        <p>
          <strong>{words.sentence}</strong>
          {words.nextStep === null ? null : <span className="guide__note">{words.nextStep}</span>}
          {hasGpu ? null : <span className="guide__note">{t('machine.noGpu')}</span>}
        </p>
      </div>
    </>
  )
}
