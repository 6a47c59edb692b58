import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useEffect, useRef } from 'react'
import './virtual-table.css'

const ROW_PX = 40
/** Rows from the end at which more are asked for. */
const NEAR_END = 20

interface VirtualTableProps<Row> {
  look: 'trades' | 'telemetry' | 'hosts' | 'offers' | 'mesh-trades' | 'audits'
  label: string
  columns: readonly { key: string; name: string; number?: boolean; wide?: boolean }[]
  rows: readonly Row[]
  keyOf: (row: Row) => number | string
  /** One for each column. */
  cells: (row: Row) => readonly ReactNode[]
  /** Rows in all, those included that are not here yet; null: nobody knows. */
  total: number | null
  /** Absent: all rows are here. */
  onNearEnd?: () => void
}

/** A table of any length of which only the rows in sight exist. */
export function VirtualTable<Row>(props: VirtualTableProps<Row>) {
  const { look, label, columns, rows, keyOf, cells, total, onNearEnd } = props
  const scroller = useRef<HTMLElement>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 8,
    getItemKey: (index) => {
      const row = rows[index]
      return row === undefined ? index : keyOf(row)
    },
  })
  const items = virtual.getVirtualItems()
  const last = items.at(-1)?.index ?? 0
  useEffect(() => {
    if (last >= rows.length - NEAR_END) onNearEnd?.()
  }, [last, rows.length, onNearEnd])
  const above = items[0]?.start ?? 0
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0)
  const classOf = ({ number = false, wide = false }: { number?: boolean; wide?: boolean }) =>
    [number ? 'log__number' : '', wide ? 'log__wide' : ''].filter(Boolean).join(' ') || undefined
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no pointer scrolls it with the keys
    <section ref={scroller} className={`log log--${look}`} tabIndex={0} aria-label={label}>
      <table aria-label={label} aria-rowcount={total === null ? -1 : total + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <th key={column.key} scope="col" className={`log__${column.key} ${classOf(column) ?? ''}`}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Space px={above} />
          {items.map(({ index, key }) => {
            const row = rows[index]
            if (row === undefined) return null
            const contents = cells(row)
            return (
              <tr key={key} aria-rowindex={index + 2} className="log__row">
                {columns.map((column, position) => (
                  <td key={column.key} className={classOf(column)}>
                    {contents[position]}
                  </td>
                ))}
              </tr>
            )
          })}
          <Space px={below} />
        </tbody>
      </table>
    </section>
  )
}

/** Where the rows would be that are out of sight. */
function Space({ px }: { px: number }) {
  if (px <= 0) return null
  return (
    <tr className="log__space">
      <td style={{ height: px }} />
    </tr>
  )
}
