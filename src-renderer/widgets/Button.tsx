import { LoaderCircle } from 'lucide-react'
import type { ComponentProps } from 'react'

interface ButtonProps extends ComponentProps<'button'> {
  look?: 'quiet' | 'accent' | 'bare'
  icon?: boolean
  busy?: boolean
}

/** `icon` is for a button that shows an icon only: give it an `aria-label`. */
export function Button({
  look = 'quiet',
  icon = false,
  busy = false,
  className,
  children,
  ...rest
}: ButtonProps) {
  const classes = ['button', `button--${look}`, icon ? 'button--icon' : '', className ?? '']
  return (
    <button type="button" {...rest} className={classes.filter(Boolean).join(' ')} aria-busy={busy}>
      {busy ? <Spinner /> : null}
      {children}
    </button>
  )
}

export function Spinner() {
  return <LoaderCircle className="spinner" size={16} aria-hidden="true" />
}
