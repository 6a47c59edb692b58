import { CopyButton } from './CopyButton.tsx'

/** A named value in a description list, to be copied. `what` completes “Copy …” where the name is too long. */
export function CopyField({ name, what = name, value }: { name: string; what?: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <code>{value}</code>
        <CopyButton what={what} text={value} />
      </dd>
    </div>
  )
}
