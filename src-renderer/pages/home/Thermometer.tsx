import type { RoiThermometer } from '../../../src-preload/contract/index.ts'
import { formatNumber } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'

const TUBE = { x: 36, width: 24, top: 12, bottom: 214 }
const BULB = { x: 48, y: 236, radius: 26 }
const TICKS = 5

/** A thermometer of the return: mercury up to now, a band around the target, a line for the floor. */
export function Thermometer({ reading }: { reading: RoiThermometer }) {
  const { t } = useTranslation('home')
  const { now, target, bandLow, bandHigh, floor } = reading
  const scale = scaleOf(reading)
  const y = (roi: number) =>
    TUBE.bottom - ((roi - scale.low) / (scale.high - scale.low)) * (TUBE.bottom - TUBE.top)
  const level = now.missing === null ? y(clamp(now.amount, scale)) : null
  const number = (roi: number) => formatNumber(roi, { maximumFractionDigits: 2 })
  const values = { target: number(target), floor: number(floor) }
  return (
    <svg
      className="thermometer"
      viewBox="0 0 124 272"
      role="img"
      aria-label={
        now.missing === null
          ? t('roi.reading', { now: number(now.amount), ...values })
          : t('roi.readingNone', values)
      }
      data-heat={heatOf(reading)}
    >
      <path className="thermometer__glass" d={outline(0)} />
      <rect
        className="thermometer__band"
        x={TUBE.x + 3}
        width={TUBE.width - 6}
        y={y(bandHigh)}
        height={y(bandLow) - y(bandHigh)}
      />
      {level === null ? null : (
        <>
          <rect
            className="thermometer__mercury"
            x={TUBE.x + 6}
            width={TUBE.width - 12}
            y={level}
            height={BULB.y - level}
            rx={6}
          />
          <circle className="thermometer__mercury" cx={BULB.x} cy={BULB.y} r={BULB.radius - 7} />
        </>
      )}
      <path className="thermometer__shine" d={`M ${TUBE.x + 6} 26 V 196`} />
      {ticksOf(scale).map((roi) => (
        <g key={roi} className="thermometer__tick">
          <path d={`M ${TUBE.x - 8} ${y(roi)} h 6`} />
          <text x={TUBE.x - 11} y={y(roi) + 3.5}>
            {number(roi)}
          </text>
        </g>
      ))}
      <path className="thermometer__target" d={`M ${TUBE.x + TUBE.width + 4} ${y(target)} l 10 -6 v 12 z`} />
      <text className="thermometer__name" x={TUBE.x + TUBE.width + 18} y={y(target) + 4}>
        {t('roi.target')}
      </text>
      <path className="thermometer__floor" d={`M ${TUBE.x} ${y(floor)} h ${TUBE.width + 12}`} />
      <text className="thermometer__name" x={TUBE.x + TUBE.width + 18} y={y(floor) + 4}>
        {t('roi.floor')}
      </text>
    </svg>
  )
}

interface Scale {
  low: number
  high: number
}

const clamp = (roi: number, { low, high }: Scale) => Math.min(high, Math.max(low, roi))

/** Room for the floor, the band and, within reason, for what is measured. */
function scaleOf({ now, floor, bandHigh, target }: RoiThermometer): Scale {
  const reach = Math.max(bandHigh - floor, 0.5)
  const measured = now.amount ?? target
  return {
    low: Math.max(Math.min(floor, measured) - reach * 0.25, floor - reach),
    high: Math.min(Math.max(bandHigh, measured) + reach * 0.25, bandHigh + 2 * reach),
  }
}

/** Round steps of 1, 2 or 5. */
function ticksOf({ low, high }: Scale): number[] {
  const rough = (high - low) / TICKS
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10)
  const first = Math.ceil(low / step)
  const count = Math.floor(high / step) - first + 1
  return Array.from({ length: count }, (_, index) => Number(((first + index) * step).toFixed(6)))
}

function heatOf({ now, floor, bandLow }: RoiThermometer): 'unknown' | 'floor' | 'below' | 'good' {
  if (now.missing !== null) return 'unknown'
  if (now.amount < floor) return 'floor'
  return now.amount < bandLow ? 'below' : 'good'
}

/** Tube and bulb as one shape. */
function outline(inset: number): string {
  const left = TUBE.x + inset
  const right = TUBE.x + TUBE.width - inset
  const radius = BULB.radius - inset
  const half = (right - left) / 2
  const neck = BULB.y - Math.sqrt(radius ** 2 - half ** 2)
  const top = TUBE.top - 4 + inset
  return `M ${left} ${neck} V ${top + half} A ${half} ${half} 0 0 1 ${right} ${top + half} V ${neck} A ${radius} ${radius} 0 1 1 ${left} ${neck} Z`
}
