import { Eraser } from 'lucide-react'
import type { KeyboardEvent } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { Button } from '../../widgets/index.ts'
import { type Cells, conflicts, placesOf } from './sudoku.ts'
import { placeOf, rowsOf, useGridKeys } from './useGridKeys.ts'
import type { Words } from './words.ts'

interface SudokuEditorProps {
  side: number
  cells: Cells
  /** As the host drew it. */
  given: Cells
  onChange: (cells: number[]) => void
}

export function SudokuEditor({ side, cells, given, onChange }: SudokuEditorProps) {
  const { t } = useTranslation('playground')
  const { table, current, setCurrent, goTo, move } = useGridKeys(side)
  const broken = conflicts(side, cells)

  function put(digit: number): void {
    onChange(cells.map((value, cell) => (cell === current ? digit : value)))
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || move(event)) return
    const digit = digitOf(event.key, side)
    if (digit === null) return
    event.preventDefault()
    put(digit)
  }

  return (
    <div className="editor">
      <table className="sudoku" data-side={side} ref={table}>
        <caption className="visually-hidden">{t('sudoku.caption')}</caption>
        <tbody>
          {rowsOf(side).map((row) => (
            <tr key={row[0]}>
              {row.map((cell) => {
                const value = cells[cell] ?? 0
                const isGiven = value > 0 && value === given[cell]
                return (
                  <td key={cell} data-edge={edgeOf(side, cell)}>
                    <button
                      type="button"
                      className="cell"
                      tabIndex={cell === current ? 0 : -1}
                      data-given={isGiven}
                      data-wrong={broken.has(cell)}
                      aria-label={editorLabel(
                        t,
                        t('place', placeOf(cell, side)),
                        value,
                        isGiven,
                        broken.has(cell),
                      )}
                      onFocus={() => setCurrent(cell)}
                      onKeyDown={onKeyDown}
                    >
                      {value === 0 ? '' : value}
                    </button>
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {/* biome-ignore lint/a11y/useSemanticElements: no fieldset; these are the keys of one pad */}
      <div className="pad" role="group" aria-label={t('sudoku.pad')}>
        {Array.from({ length: side }, (_, i) => i + 1).map((digit) => (
          <Button
            key={digit}
            className="pad__key"
            aria-label={t('sudoku.put', { digit })}
            onClick={() => {
              put(digit)
              goTo(current)
            }}
          >
            {digit}
          </Button>
        ))}
        <Button
          className="pad__key"
          aria-label={t('sudoku.clear')}
          onClick={() => {
            put(0)
            goTo(current)
          }}
        >
          <Eraser size={15} aria-hidden="true" />
        </Button>
      </div>
      {broken.size === 0 ? null : (
        <p className="playground__warning" role="status">
          {t('sudoku.repeats')}
        </p>
      )}
    </div>
  )
}

/** The digit that a key puts, 0 to clear; null for any other key. */
export function digitOf(key: string, side: number): number | null {
  if (key === 'Delete' || key === 'Backspace' || key === ' ') return 0
  return /^\d$/.test(key) && Number(key) <= side ? Number(key) : null
}

function editorLabel(t: Words, place: string, digit: number, given: boolean, broken: boolean): string {
  if (digit === 0) return t('sudoku.blank', { place })
  const who = given ? 'given' : 'yours'
  return t(broken ? (`sudoku.${who}Repeated` as const) : (`sudoku.${who}` as const), { place, digit })
}

interface SudokuAnswerProps {
  side: number
  question: Cells
  answer: Cells
  changed: ReadonlySet<number>
  /** How much each cell's latent moved, 0 to 5; null where that is not shown. */
  heat: readonly number[] | null
}

export function SudokuAnswer({ side, question, answer, changed, heat }: SudokuAnswerProps) {
  const { t } = useTranslation('playground')
  const wrong = sudokuFaults(side, question, answer)
  return (
    <table className="sudoku" data-side={side}>
      <caption className="visually-hidden">{t('sudoku.answer')}</caption>
      <tbody>
        {rowsOf(side).map((row) => (
          <tr key={row[0]}>
            {row.map((cell) => (
              <td key={cell} data-edge={edgeOf(side, cell)}>
                <span
                  className="cell"
                  data-given={(question[cell] ?? 0) > 0}
                  data-changed={changed.has(cell)}
                  data-wrong={wrong.has(cell)}
                  data-heat={heat?.[cell]}
                >
                  {answer[cell]}
                  <span className="visually-hidden">
                    {changed.has(cell) ? ` ${t('sudoku.changed')}` : ''}
                    {wrong.has(cell) ? ` ${t('sudoku.wrong')}` : ''}
                  </span>
                </span>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Cells that repeat a digit or are not what the question gave. */
export function sudokuFaults(side: number, question: Cells, answer: Cells): Set<number> {
  const lost = question.flatMap((digit, cell) => (digit > 0 && digit !== answer[cell] ? [cell] : []))
  return new Set([...conflicts(side, answer), ...lost])
}

/** Which sides of a cell are the border of a box. */
function edgeOf(side: number, cell: number): string {
  const places = placesOf(side)
  const [here, right, below] = [places[cell], places[cell + 1], places[cell + side]]
  const rightEdge = right !== undefined && right.row === here?.row && right.box !== here.box
  const belowEdge = below !== undefined && below.box !== here?.box
  return `${rightEdge ? 'right ' : ''}${belowEdge ? 'below' : ''}`.trim()
}
