import { escapeHtml } from './document.ts'

/** Drawings in SVG, coloured by the classes of the page they stand in. */

const [WIDTH, LEFT, RIGHT, ROW] = [720, 210, 90, 34]

export interface Interval {
  readonly name: string
  readonly value: number
  readonly low: number
  readonly high: number
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`

const svg = (height: number, label: string, body: string): string =>
  `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(label)}">${body}</svg>`

const text = (x: number, y: number, words: string, anchor = 'start'): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escapeHtml(words)}</text>`

const line = (x1: number, y1: number, x2: number, y2: number, name: string): string =>
  `<line class="${name}" x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"/>`

/** One row per policy: the rate as a dot, its 95 % interval as a bar, the target as a dashed line. */
export function intervalChart(rows: readonly Interval[], target: number, label: string): string {
  const from = Math.floor(10 * Math.min(target, ...rows.map(({ low }) => low))) / 10
  const to = Math.ceil(10 * Math.max(target, ...rows.map(({ high }) => high))) / 10
  const x = (value: number): number => LEFT + ((value - from) / (to - from)) * (WIDTH - LEFT - RIGHT)
  const height = rows.length * ROW + 40
  const ticks = Array.from({ length: Math.round((to - from) * 10) + 1 }, (_, i) => from + i / 10)
  const grid = ticks.map(
    (tick) =>
      line(x(tick), 8, x(tick), height - 28, 'grid') +
      text(x(tick), height - 10, `${Math.round(100 * tick)} %`, 'middle'),
  )
  const marks = rows.map(({ name, value, low, high }, i) => {
    const y = 8 + ROW * (i + 0.5)
    const own = i === 0 ? ' own' : ''
    return (
      text(LEFT - 12, y + 4, name, 'end') +
      line(x(low), y, x(high), y, `bar${own}`) +
      `<circle class="dot${own}" cx="${x(value).toFixed(1)}" cy="${y}" r="5"/>` +
      text(WIDTH - RIGHT + 12, y + 4, percent(value))
    )
  })
  return svg(
    height,
    label,
    [...grid, line(x(target), 8, x(target), height - 28, 'target'), ...marks].join(''),
  )
}

export interface Series {
  readonly name: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

const [PLOT_LEFT, PLOT_RIGHT, PLOT_TOP, PLOT_BOTTOM, PLOT_HEIGHT] = [56, 24, 30, 44, 280]

/** Lines over a common axis; `unit` is what y counts in. */
export function lineChart(
  series: readonly Series[],
  axis: { readonly x: string; readonly y: string; readonly isShare: boolean },
): string {
  const all = series.flatMap(({ points }) => points)
  const [right, top] = [Math.max(...all.map(({ x }) => x)), Math.max(...all.map(({ y }) => y))]
  const left = Math.min(...all.map(({ x }) => x))
  const least = Math.min(...all.map(({ y }) => y))
  const [from, to] = axis.isShare
    ? [Math.max(0, Math.floor(20 * least - 0.2) / 20), Math.min(1, Math.ceil(20 * top + 0.2) / 20)]
    : [0, Math.ceil(10 * top) / 10]
  const x = (value: number): number =>
    PLOT_LEFT + ((value - left) / Math.max(1e-9, right - left)) * (WIDTH - PLOT_LEFT - PLOT_RIGHT)
  const y = (value: number): number =>
    PLOT_HEIGHT - PLOT_BOTTOM - ((value - from) / (to - from)) * (PLOT_HEIGHT - PLOT_BOTTOM - PLOT_TOP)
  const labelOf = (value: number): string =>
    axis.isShare ? `${(100 * value).toFixed(0)} %` : value.toFixed(2)
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = from + share * (to - from)
    return (
      line(PLOT_LEFT, y(value), WIDTH - PLOT_RIGHT, y(value), 'grid') +
      text(PLOT_LEFT - 8, y(value) + 4, labelOf(value), 'end')
    )
  })
  const steps = [0, 0.5, 1].map((share) => {
    const value = left + share * (right - left)
    return text(x(value), PLOT_HEIGHT - 24, String(Math.round(value)), 'middle')
  })
  const lines = series.map(({ points }, i) => {
    const path = points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(' ')
    return `<polyline class="line line-${i % 4}" points="${path}"/>`
  })
  const legend = series.map(
    ({ name }, i) =>
      `<line class="line line-${i % 4}" x1="${PLOT_LEFT + 150 * i}" x2="${PLOT_LEFT + 150 * i + 22}" y1="14" y2="14"/>` +
      text(PLOT_LEFT + 150 * i + 30, 18, name),
  )
  const names =
    text(WIDTH - PLOT_RIGHT, PLOT_HEIGHT - 6, axis.x, 'end') + text(WIDTH - PLOT_RIGHT, 18, axis.y, 'end')
  return svg(PLOT_HEIGHT, `${axis.y} by ${axis.x}`, [...grid, ...steps, ...lines, ...legend, names].join(''))
}
