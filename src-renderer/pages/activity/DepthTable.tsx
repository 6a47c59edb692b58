import type { DepthMap } from '../../../src-preload/contract/index.ts'
import { formatBucket, formatDate, formatNumber, formatPercent } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'

/** The same figures as the picture, in rows: newest first. */
export function DepthTable({ map }: { map: DepthMap }) {
  const { t } = useTranslation('activity')
  const columns = map.columns.filter(({ thoughts }) => thoughts > 0).toReversed()
  const stepsOf = (bucket: number) => map.cells.filter((cell) => cell.bucket === bucket)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no pointer scrolls it with the keys
    <section className="depth__scroll" tabIndex={0} aria-label={t('depth.title')}>
      <table className="depth__table figures">
        <caption className="visually-hidden">{t('depth.caption')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('depth.from')}</th>
            <th scope="col">{t('depth.thoughts')}</th>
            <th scope="col">{t('depth.meanSteps')}</th>
            <th scope="col">{t('depth.byStep')}</th>
          </tr>
        </thead>
        <tbody>
          {columns.map(({ bucket, thoughts, meanSteps }) => {
            const startMs = map.fromMs + bucket * map.bucketMs
            return (
              <tr key={bucket}>
                <th scope="row">
                  {formatDate(startMs)} {formatBucket(startMs, map.bucketMs)}
                </th>
                <td>{formatNumber(thoughts)}</td>
                <td>{formatNumber(Math.round(meanSteps * 10) / 10)}</td>
                <td className="depth__steps">
                  {stepsOf(bucket).map(({ step, thoughts: computing, haltProbability }) => (
                    <span key={step}>
                      {t('depth.stepCell', {
                        step,
                        thoughts: formatNumber(computing),
                        sure: formatPercent(haltProbability),
                      })}
                    </span>
                  ))}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </section>
  )
}
