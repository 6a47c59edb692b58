/** A bar that shows a share of a whole; the figures stand beside it in words. */
export function Share({ of, total }: { of: number; total: number }) {
  const percent = total > 0 ? Math.min(100, (of / total) * 100) : 0
  return (
    <span className="share" aria-hidden="true">
      <span style={{ width: `${percent}%` }} />
    </span>
  )
}
