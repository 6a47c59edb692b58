import { Flag, MapPin } from 'lucide-react'
import { type KeyboardEvent, type PointerEvent, useRef, useState } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { Segmented } from '../../widgets/index.ts'
import { faults, MAZE, type Maze, withEnd, withWall } from './maze.ts'
import { placeOf, rowsOf, useGridKeys } from './useGridKeys.ts'

const kinds = ['wall', 'free', 'start', 'goal'] as const
const kindOf = (value: number | undefined) => kinds[value ?? 0] ?? 'wall'

type Tool = 'wall' | 'start' | 'goal'
export function MazeEditor({ maze, onChange }: { maze: Maze; onChange: (cells: number[]) => void }) {
  const { side, cells } = maze
  const { t } = useTranslation('playground')
  const [tool, setTool] = useState<Tool>('wall')
  const tools: { value: Tool; content: string }[] = [
    { value: 'wall', content: t('maze.walls') },
    { value: 'start', content: t('maze.startTool') },
    { value: 'goal', content: t('maze.goalTool') },
  ]
  const { table, current, setCurrent, move } = useGridKeys(side)
  /** What the pointer draws until it is lifted: walls or none. */
  const drawing = useRef<boolean | null>(null)

  function use(cell: number, chosen: Tool): void {
    onChange(
      chosen === 'wall' ? withWall(cells, cell, cells[cell] !== MAZE.wall) : withEnd(cells, chosen, cell),
    )
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || move(event)) return
    const chosen = { w: 'wall', s: 'start', g: 'goal' }[event.key.toLowerCase()] as Tool | undefined
    if (chosen !== undefined) use(current, chosen)
  }

  function onPointerDown(event: PointerEvent, cell: number): void {
    if (event.button !== 0) return
    // A finger keeps hold of where it came down; it has to reach the next cells too.
    if (event.currentTarget.hasPointerCapture(event.pointerId)) {
      event.currentTarget.releasePointerCapture(event.pointerId)
    }
    drawing.current = tool === 'wall' ? cells[cell] !== MAZE.wall : null
    use(cell, tool)
  }

  function onPointerEnter(event: PointerEvent, cell: number): void {
    if (event.buttons === 0) drawing.current = null
    if (drawing.current !== null) onChange(withWall(cells, cell, drawing.current))
  }

  return (
    <div className="editor">
      <table className="maze" data-side={side} ref={table}>
        <caption className="visually-hidden">{t('maze.caption')}</caption>
        <tbody>
          {rowsOf(side).map((row) => (
            <tr key={row[0]}>
              {row.map((cell) => (
                <td key={cell}>
                  <button
                    type="button"
                    className="tile"
                    data-kind={kindOf(cells[cell])}
                    tabIndex={cell === current ? 0 : -1}
                    aria-label={t(`maze.${kindOf(cells[cell])}`, { place: t('place', placeOf(cell, side)) })}
                    onFocus={() => setCurrent(cell)}
                    onKeyDown={onKeyDown}
                    onPointerDown={(event) => onPointerDown(event, cell)}
                    onPointerEnter={(event) => onPointerEnter(event, cell)}
                    onPointerUp={() => {
                      drawing.current = null
                    }}
                    onClick={(event) => {
                      // The pointer has drawn already; what comes from the keyboard counts no clicks.
                      if (event.detail === 0) use(cell, tool)
                    }}
                  >
                    <End value={cells[cell]} />
                  </button>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <Segmented label={t('maze.tool')} options={tools} value={tool} onChange={setTool} />
      <p className="muted playground__hint">{t('maze.hint')}</p>
    </div>
  )
}

interface MazeAnswerProps {
  maze: Maze
  path: readonly number[]
  changed: ReadonlySet<number>
  /** How much each cell's latent moved, 0 to 5; null where that is not shown. */
  heat: readonly number[] | null
}

export function MazeAnswer({ maze, path, changed, heat }: MazeAnswerProps) {
  const { t } = useTranslation('playground')
  const { side, cells } = maze
  const drawn = new Set(path)
  const wrong = faults(maze, path)
  const words = t('maze.answer', { cells: path.length, changed: changed.size, wrong: wrong.size })
  return (
    // A picture: what a reader needs of 121 cells is how many there are of which kind.
    <table className="maze" data-side={side} role="img" aria-label={words}>
      <tbody aria-hidden="true">
        {rowsOf(side).map((row) => (
          <tr key={row[0]}>
            {row.map((cell) => (
              <td key={cell}>
                <span
                  className="tile"
                  data-kind={kindOf(cells[cell])}
                  data-path={drawn.has(cell)}
                  data-changed={changed.has(cell)}
                  data-wrong={wrong.has(cell)}
                  data-heat={heat?.[cell]}
                >
                  <End value={cells[cell]} />
                </span>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function End({ value }: { value: number | undefined }) {
  if (value === MAZE.start) return <MapPin size={14} aria-hidden="true" />
  return value === MAZE.goal ? <Flag size={14} aria-hidden="true" /> : null
}
