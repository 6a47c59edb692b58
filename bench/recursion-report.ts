// docs/recursion/results.json as Markdown and as the picture of accuracy by supervision step.

import type { Proportion } from '../training/recursion/evaluate.ts'
import type { KernelFigure } from './recursion-kernels.ts'
import type { TaskFigures, TrainingFigures } from './recursion-tasks.ts'

/** Everything that was measured; each part is null until it has been. */
export interface Results {
  readonly machine: string
  /** Measured with the weights that ship. */
  readonly tasks: readonly TaskFigures[]
  /** Trained anew, one entry per task and seed. */
  readonly trainings: readonly TrainingFigures[]
  readonly kernels: readonly KernelFigure[]
}

const percent = (value: number): string => (100 * value).toFixed(1)
const withInterval = ({ rate, low, high }: Proportion): string =>
  `${percent(rate)} [${percent(low)}, ${percent(high)}]`

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Steps that get a column: the powers of two. */
const MARKS = [1, 2, 4, 8, 16, 32]

function accuracyTable(tasks: readonly TaskFigures[]): string {
  const rows = tasks.map(({ title, count, byStep, goal }) => [
    title,
    String(count),
    ...MARKS.map((step) => {
      const at = byStep[step - 1]
      return at ? withInterval(at) : '–'
    }),
    goal,
  ])
  return table(['task', 'questions', ...MARKS.map(String), 'goal'], rows)
}

function haltingTable(tasks: readonly TaskFigures[]): string {
  const rows = tasks.flatMap(({ title, full, halting, savedShare, costPoints }) => [
    [
      title,
      withInterval(full),
      withInterval(halting.accuracy),
      halting.meanSteps.toFixed(2),
      `${percent(savedShare)} %`,
      costPoints.toFixed(2),
    ],
  ])
  return table(
    ['task', 'all steps', 'stops when sure', 'mean steps', 'computation saved', 'cost in points'],
    rows,
  )
}

function gatedTable(tasks: readonly TaskFigures[]): string {
  const rows = tasks.flatMap(({ title, gated }) =>
    gated
      ? [
          [
            title,
            String(gated.accuracy.count),
            gated.effort,
            withInterval(gated.accuracy),
            gated.meanSteps.toFixed(2),
            String(gated.councils),
            String(gated.wronglySure),
          ],
        ]
      : [],
  )
  return table(
    ['task', 'questions', 'effort', 'accuracy', 'mean steps', 'councils', 'wrong though sure'],
    rows,
  )
}

function trainingTable(trainings: readonly TrainingFigures[]): string {
  const rows = trainings.flatMap(({ seed, minutes, sha256, questions }) =>
    questions.map(({ title, count, fullSteps, full, halting, gated }) => [
      title,
      String(seed),
      minutes.toFixed(1),
      String(count),
      `${withInterval(full)} after ${fullSteps}`,
      `${withInterval(halting.accuracy)} in ${halting.meanSteps.toFixed(2)}`,
      gated ? `${withInterval(gated.accuracy)} in ${gated.meanSteps.toFixed(2)}` : '–',
      `\`${sha256.slice(0, 12)}\``,
    ]),
  )
  const head = ['task', 'seed', 'minutes', 'questions', 'all steps', 'stops when sure', 'council', 'weights']
  return table(head, rows)
}

function kernelTable(kernels: readonly KernelFigure[]): string {
  const rows = kernels.map(({ name, gigaflops, plainCGigaflops }) => [
    name,
    gigaflops.toFixed(2),
    plainCGigaflops?.toFixed(2) ?? 'no C compiler',
    plainCGigaflops === null ? '–' : `${(gigaflops / plainCGigaflops).toFixed(2)} ×`,
  ])
  return table(['kernel', 'GFLOP/s', 'plain C, -O3', 'ratio'], rows)
}

/** `missing` names what has not been measured, so that no gap goes unseen. */
export function markdownOf(
  { machine, tasks, trainings, kernels }: Results,
  missing: readonly string[],
): string {
  const parts = [
    '# What the recursive model can do',
    `Written by \`npm run bench:recursion\` on ${machine}. The numbers are also in [results.json](results.json).`,
    '![Accuracy by supervision step](accuracy-by-step.svg)',
    '## Accuracy by supervision step',
    'Percent of unseen questions whose whole answer is right, with Wilson 95 % intervals, for the weights that ship. ' +
      'No training set holds any of the questions, nor a mirror image of one. Mazes are learned up to side 11; larger ' +
      'ones are asked without further training.',
    accuracyTable(tasks),
    ...(missing.length > 0 ? [`Not measured in this report: ${missing.join(', ')}.`] : []),
    '## Stopping when sure',
    'A question stops once the halting head has been surer than not in two steps in a row, in mazes with every free ' +
      'cell at least three times likelier right than wrong, at the latest at the last step of the second column. A step ' +
      'that is not taken is not computed.',
    haltingTable(tasks),
  ]
  if (tasks.some(({ gated }) => gated)) {
    parts.push(
      '## Few steps first, a council where they do not suffice',
      'What the host sells as medium effort: at most eight steps, ended as soon as the rules of the puzzle confirm the ' +
        'answer; where they never do, twelve noisy rollouts of up to sixteen steps, all of which stop when one is ' +
        'confirmed. High effort: sixteen steps, then thirty-two rollouts of up to forty-eight. Every step of everything ' +
        'that was run is counted.',
      gatedTable(tasks),
    )
  }
  if (trainings.length > 0) {
    parts.push(
      '## Training anew',
      'By `npm run bench:recursion -- --train --seeds …`. Minutes are processor time of all threads, divided by two: what ' +
        'two cores that do nothing else need. Questions and columns are those of the tables above, for the weights of every seed.',
      trainingTable(trainings),
    )
  }
  if (kernels.length > 0) {
    parts.push(
      '## Kernels',
      'One thread, processor time, the shortest of fifteen rounds, against plain loops in C compiled with `-O3` in the ' +
        'same run. Operations are counted the same way on both sides.',
      kernelTable(kernels),
    )
  }
  return `${parts.join('\n\n')}\n`
}

const [SVG_WIDTH, SVG_HEIGHT] = [860, 420]
const PLOT = { left: 56, right: 640, top: 24, bottom: 364 }
/** Told apart in either theme, and by eyes that do not tell red from green (after Okabe and Ito 2008). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8a8a8a', '#7a5195']

export function pictureOf(tasks: readonly TaskFigures[]): string {
  const last = Math.max(1, ...tasks.map(({ byStep }) => byStep.length))
  const x = (step: number): string =>
    (PLOT.left + ((PLOT.right - PLOT.left) * Math.log2(step)) / Math.log2(Math.max(2, last))).toFixed(1)
  const y = (rate: number): string => (PLOT.bottom - (PLOT.bottom - PLOT.top) * rate).toFixed(1)
  const ticksAcross = MARKS.filter((step) => step <= last).map(
    (step) => `<text x="${x(step)}" y="${PLOT.bottom + 22}" text-anchor="middle">${step}</text>`,
  )
  const ticksUp = [0, 0.25, 0.5, 0.75, 1].map(
    (rate) =>
      `<path class="grid" d="M${PLOT.left} ${y(rate)}H${PLOT.right}"/>` +
      `<text x="${PLOT.left - 8}" y="${Number(y(rate)) + 4}" text-anchor="end">${100 * rate} %</text>`,
  )
  const curves = tasks.map(({ byStep }, index) => {
    const colour = COLOURS[index % COLOURS.length]
    const points = (of: (at: Proportion) => number): string[] =>
      byStep.map((at, step) => `${x(step + 1)} ${y(of(at))}`)
    const band = [...points(({ high }) => high), ...points(({ low }) => low).reverse()]
    return (
      `<path d="M${band.join('L')}Z" fill="${colour}" opacity="0.16"/>` +
      `<path d="M${points(({ rate }) => rate).join('L')}" fill="none" stroke="${colour}" stroke-width="2.5" stroke-linejoin="round"/>`
    )
  })
  const legend = tasks.map(({ title, byStep }, index) => {
    const top = PLOT.top + 8 + 32 * index
    const final = byStep.at(-1)
    return (
      `<path d="M${PLOT.right + 24} ${top}h20" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="4" stroke-linecap="round"/>` +
      `<text class="strong" x="${PLOT.right + 52}" y="${top + 1}">${title}</text>` +
      `<text x="${PLOT.right + 52}" y="${top + 16}">${final ? `${percent(final.rate)} % after ${byStep.length}` : ''}</text>`
    )
  })
  const label = 'Share of unseen questions answered right, by supervision step, with 95 % intervals'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SVG_WIDTH} ${SVG_HEIGHT}" role="img" aria-label="${label}">
<title>${label}</title>
<style>
text { font: 12px system-ui, sans-serif; fill: #57606a; }
.strong { font-weight: 600; fill: #24292f; }
.grid { stroke: #8c959f; stroke-opacity: 0.35; }
@media (prefers-color-scheme: dark) { text { fill: #9ba3ad; } .strong { fill: #e6edf3; } }
</style>
${[...ticksUp, ...ticksAcross, ...curves, ...legend].join('\n')}
<text x="${(PLOT.left + PLOT.right) / 2}" y="${PLOT.bottom + 46}" text-anchor="middle">supervision steps</text>
</svg>
`
}
