/** Puts the keyboard on `id` when what had it is gone; never takes it from where the person went meanwhile. */
export function focusIfLost(id: string): void {
  const { activeElement } = document
  if (activeElement === null || activeElement === document.body) document.getElementById(id)?.focus()
}
