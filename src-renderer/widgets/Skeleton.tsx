const LINES = ['title', 'first', 'second', 'last']

export function Skeleton({ label }: { label: string }) {
  return (
    <div className="skeleton" role="status">
      {LINES.map((line) => (
        <span key={line} />
      ))}
      <p className="visually-hidden">{label}</p>
    </div>
  )
}
