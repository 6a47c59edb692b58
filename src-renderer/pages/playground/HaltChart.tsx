import { type PointerEvent, useRef } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { percent } from './thought.ts'

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [300, 170, 44, 12, 28]
const PLOT = HEIGHT - TOP - BOTTOM
/** Steps that are labelled at most, so that the labels do not run into one another. */
const LABELS_MAX = 12
const yOf = (probability: number): number => TOP + (1 - probability) * PLOT

interface HaltChartProps {
  probabilities: readonly number[]
  /** Step that the board shows. */
  shown: number
  stop: number | null
  threshold: number
  onThreshold: (threshold: number) => void
}

/** How sure the network was after each step. The line is drawn with the pointer; a slider below does the same. */
export function HaltChart({ probabilities, shown, stop, threshold, onThreshold }: HaltChartProps) {
  const { t } = useTranslation('playground')
  const svg = useRef<SVGSVGElement>(null)
  const slot = (WIDTH - LEFT) / probabilities.length
  const bar = Math.min(36, slot * 0.68)
  const every = Math.ceil(probabilities.length / LABELS_MAX)
  const y = yOf(threshold)

  function drag(event: PointerEvent): void {
    const box = svg.current?.getBoundingClientRect()
    if (box === undefined || event.buttons === 0) return
    const share = 1 - (((event.clientY - box.top) / box.height) * HEIGHT - TOP) / PLOT
    onThreshold(Math.min(1, Math.max(0, Math.round(share * 100) / 100)))
  }

  return (
    <svg
      ref={svg}
      className="halt"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={t('halt.chart', {
        steps: probabilities
          .map((p, i) => t('halt.chartStep', { step: i + 1, share: percent(t, p) }))
          .join(', '),
      })}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        drag(event)
      }}
      onPointerMove={drag}
    >
      {[0, 0.5, 1].map((tick) => (
        <g key={tick} className="halt__tick">
          <line x1={LEFT} x2={WIDTH} y1={yOf(tick)} y2={yOf(tick)} />
          <text x={LEFT - 8} y={yOf(tick) + 4} textAnchor="end">
            {tick * 100} %
          </text>
        </g>
      ))}
      {probabilities.map((probability, step) => {
        const x = LEFT + slot * (step + 0.5)
        const height = Math.max(2, PLOT * probability)
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a step is its place in the thought
          <g key={step} className="halt__step" data-shown={step === shown} data-stop={step === stop}>
            <rect
              x={x - bar / 2}
              y={TOP + PLOT - height}
              width={bar}
              height={height}
              rx={Math.min(4, bar / 3)}
            />
            {step === shown || (step % every === 0 && Math.abs(step - shown) >= every) ? (
              <text x={x} y={HEIGHT - 9} textAnchor="middle">
                {step + 1}
              </text>
            ) : null}
          </g>
        )
      })}
      <g className="halt__line">
        <line x1={LEFT} x2={WIDTH} y1={y} y2={y} />
        <circle cx={WIDTH - 8} cy={y} r={7} />
      </g>
    </svg>
  )
}

const [LATENT_HEIGHT, LATENT_BOTTOM] = [64, 6]

/** How far the latent state still moved in each step, against the first one. */
export function LatentChart({ movements, shown }: { movements: readonly number[]; shown: number }) {
  const { t } = useTranslation('playground')
  const slot = (WIDTH - LEFT) / movements.length
  const bar = Math.min(36, slot * 0.68)
  const spoken = movements.map((share, i) => t('halt.chartStep', { step: i + 1, share: percent(t, share) }))
  return (
    <svg
      className="halt halt--still"
      viewBox={`0 0 ${WIDTH} ${LATENT_HEIGHT}`}
      role="img"
      aria-label={t('halt.latentChart', { steps: spoken.join(', ') })}
    >
      <line
        className="halt__base"
        x1={LEFT}
        x2={WIDTH}
        y1={LATENT_HEIGHT - LATENT_BOTTOM}
        y2={LATENT_HEIGHT - LATENT_BOTTOM}
      />
      {movements.map((share, step) => {
        const height = Math.max(2, Math.sqrt(share) * (LATENT_HEIGHT - LATENT_BOTTOM - 4))
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a step is its place in the thought
            key={step}
            className="halt__latent"
            data-shown={step === shown}
            x={LEFT + slot * (step + 0.5) - bar / 2}
            y={LATENT_HEIGHT - LATENT_BOTTOM - height}
            width={bar}
            height={height}
            rx={Math.min(3, bar / 3)}
          />
        )
      })}
    </svg>
  )
}
