import { type KeyboardEvent, useRef, useState } from 'react'
import type { DepthMap } from '../../../src-preload/contract/index.ts'
import { formatBucket, formatDate, formatNumber, formatPercent } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useWidth } from '../use-width.ts'

const LEFT = 40
const TOP = 8
const BARS = 40
const GAP = 8
const ROW = 20
const BOTTOM = 24
const LABEL_EVERY_PX = 88
/** Buckets from label to label: hours and days stay whole. */
const LABEL_STEPS = [1, 2, 4, 6, 8, 12, 24, 48]
const LABEL_PX = 48
const ROWS_MIN = 4

interface Place {
  bucket: number
  step: number
}

/**
 * Time from left to right, steps from top to bottom. A cell is as strong as the share of the picture's busiest cell, or
 * as the halting head is sure. The line is the mean depth. Arrow keys move from cell to cell; each is said in words.
 */
export function DepthHeatmap({ map, show }: { map: DepthMap; show: 'computing' | 'sureness' }) {
  const { t } = useTranslation('activity')
  const frame = useRef<HTMLElement>(null)
  const width = useWidth(frame)
  const [at, setAt] = useState<Place | null>(null)
  const { buckets, stepMax, cells, columns } = map
  const rows = Math.max(ROWS_MIN, stepMax)
  const cellWidth = Math.max(1, (width - LEFT) / buckets)
  const bodyTop = TOP + BARS + GAP
  const height = bodyTop + rows * ROW + BOTTOM
  const mostInCell = Math.max(1, ...cells.map(({ thoughts }) => thoughts))
  const mostInColumn = Math.max(1, ...columns.map(({ thoughts }) => thoughts))
  const startOf = (bucket: number) => map.fromMs + bucket * map.bucketMs
  const labelEvery = LABEL_STEPS.find((step) => step * cellWidth >= LABEL_EVERY_PX) ?? buckets
  const busy = columns.filter(({ thoughts }) => thoughts > 0)
  const move = (event: KeyboardEvent) => {
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    }
    const by = steps[event.key]
    if (event.key === 'Escape') setAt(null)
    if (!by) return
    event.preventDefault()
    const from = at ?? { bucket: busy.at(-1)?.bucket ?? 0, step: 0 }
    setAt({
      bucket: Math.min(buckets - 1, Math.max(0, from.bucket + by[0])),
      step: Math.min(rows, Math.max(1, from.step + by[1])),
    })
  }
  const cellAt = at && cells.find(({ bucket, step }) => bucket === at.bucket && step === at.step)
  const when = at && `${formatDate(startOf(at.bucket))} ${formatBucket(startOf(at.bucket), map.bucketMs)}`
  const words =
    at === null
      ? t('depth.hint')
      : cellAt
        ? t('depth.cell', {
            when,
            step: at.step,
            thoughts: formatNumber(cellAt.thoughts),
            sure: formatPercent(cellAt.haltProbability),
          })
        : t('depth.emptyCell', { when, step: at.step })
  const x = (bucket: number) => LEFT + bucket * cellWidth
  const y = (step: number) => bodyTop + (step - 1) * ROW
  return (
    <figure className="depth__figure">
      <section
        ref={frame}
        className="depth__picture"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys read it cell by cell
        tabIndex={0}
        aria-label={t('depth.picture', {
          thoughts: formatNumber(map.totals.thoughts),
          steps: formatNumber(stepMax),
        })}
        aria-describedby="depth-words"
        onKeyDown={move}
        onBlur={() => setAt(null)}
      >
        <svg
          width={Math.max(width, LEFT + buckets)}
          height={height}
          aria-hidden="true"
          onPointerLeave={() => setAt(null)}
          onPointerMove={({ clientX, clientY, currentTarget }) => {
            const box = currentTarget.getBoundingClientRect()
            const bucket = Math.floor((clientX - box.left - LEFT) / cellWidth)
            const step = Math.floor((clientY - box.top - bodyTop) / ROW) + 1
            const isInside = bucket >= 0 && bucket < buckets && step >= 1 && step <= rows
            setAt(isInside ? { bucket, step } : null)
          }}
        >
          {busy.map(({ bucket, thoughts }) => {
            const bar = Math.max(2, (thoughts / mostInColumn) * BARS)
            return (
              <rect
                key={bucket}
                className="depth__bar"
                x={x(bucket) + 0.5}
                y={TOP + BARS - bar}
                width={Math.max(1, cellWidth - 1)}
                height={bar}
              />
            )
          })}
          <rect
            className="depth__ground"
            x={LEFT}
            y={bodyTop}
            width={cellWidth * buckets}
            height={rows * ROW}
          />
          {cells.map(({ bucket, step, thoughts, haltProbability }) => (
            <rect
              key={`${bucket} ${step}`}
              className={`depth__cell depth__cell--${show}`}
              x={x(bucket) + 0.5}
              y={y(step) + 0.5}
              width={Math.max(1, cellWidth - 1)}
              height={ROW - 1}
              fillOpacity={
                show === 'sureness' ? 0.08 + 0.92 * haltProbability : strength(thoughts, mostInCell)
              }
            />
          ))}
          <polyline
            className="depth__mean"
            points={busy
              .map(
                ({ bucket, meanSteps }) =>
                  `${x(bucket) + cellWidth / 2},${bodyTop + (meanSteps - 0.5) * ROW}`,
              )
              .join(' ')}
          />
          {Array.from({ length: rows }, (_, row) => row + 1)
            .filter((step) => rows <= 16 || step === 1 || step % 4 === 0)
            .map((step) => (
              <text
                key={step}
                className="depth__label"
                x={LEFT - 8}
                y={y(step) + ROW / 2}
                textAnchor="end"
                dy="0.35em"
              >
                {step}
              </text>
            ))}
          {Array.from({ length: buckets }, (_, bucket) => bucket)
            .filter((bucket) => bucket % labelEvery === 0 && x(bucket) + LABEL_PX < width)
            .map((bucket) => (
              <text key={bucket} className="depth__label" x={x(bucket)} y={height - 6}>
                {formatBucket(startOf(bucket), map.bucketMs)}
              </text>
            ))}
          {at === null ? null : (
            <rect className="depth__cursor" x={x(at.bucket)} y={y(at.step)} width={cellWidth} height={ROW} />
          )}
        </svg>
      </section>
      <figcaption className="depth__caption">
        <span id="depth-words" role="status">
          {words}
        </span>
        <Scale show={show} most={mostInCell} />
      </figcaption>
    </figure>
  )
}

/** By the square root: single thoughts are seen beside hundreds. */
const strength = (thoughts: number, most: number): number => 0.12 + 0.88 * Math.sqrt(thoughts / most)

function Scale({ show, most }: { show: 'computing' | 'sureness'; most: number }) {
  const { t } = useTranslation('activity')
  const steps = [0.1, 0.3, 0.5, 0.75, 1]
  return (
    <span className="depth__scale">
      <span>{show === 'sureness' ? formatPercent(0) : formatNumber(1)}</span>
      <svg width={steps.length * 20} height={12} aria-hidden="true">
        {steps.map((opacity, position) => (
          <rect
            key={opacity}
            className={`depth__cell depth__cell--${show}`}
            x={position * 20}
            y={0}
            width={19}
            height={12}
            fillOpacity={opacity}
          />
        ))}
      </svg>
      <span>{show === 'sureness' ? formatPercent(1) : formatNumber(most)}</span>
      <span className="muted">{t(`depth.scales.${show}`)}</span>
    </span>
  )
}
