/** Tiramisu from the side: cocoa, cream, sponge. */
export function BrandMark() {
  return (
    <svg className="brand-mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">
      <rect className="brand-mark__cocoa" x="5" y="5" width="22" height="6" rx="3" />
      <rect className="brand-mark__cream" x="5" y="13" width="22" height="6" rx="3" />
      <rect className="brand-mark__sponge" x="5" y="21" width="22" height="6" rx="3" />
    </svg>
  )
}
