/** A page of a report, written once and shown as Markdown and as HTML. Its text is shown as text. */
export type Block =
  | { readonly kind: 'heading'; readonly level: 1 | 2 | 3; readonly text: string }
  | { readonly kind: 'paragraph'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | {
      readonly kind: 'table'
      readonly head: readonly string[]
      /** Cells; the first of each row names it. */
      readonly rows: readonly (readonly string[])[]
    }
  /** Drawn as SVG in HTML, and as Mermaid in Markdown where there is a diagram. */
  | { readonly kind: 'chart'; readonly svg: string | null; readonly mermaid: string | null }

export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)

const inTable = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

export function markdownOf(blocks: readonly Block[]): string {
  return `${blocks
    .map(markdownBlock)
    .filter((part) => part !== '')
    .join('\n\n')}\n`
}

function markdownBlock(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `${'#'.repeat(block.level)} ${block.text}`
    case 'paragraph':
      return block.text
    case 'list':
      return block.items.map((item) => `- ${item}`).join('\n')
    case 'table': {
      const row = (cells: readonly string[]): string => `| ${cells.map(inTable).join(' | ')} |`
      const rule = `|${block.head.map((_, i) => (i === 0 ? '---|' : '---:|')).join('')}`
      return [row(block.head), rule, ...block.rows.map(row)].join('\n')
    }
    case 'chart':
      return block.mermaid === null ? '' : `\`\`\`mermaid\n${block.mermaid}\n\`\`\``
  }
}

/** The style of the report: everything that it needs stands in the file. */
const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --muted: #5a636e; --line: #d5dae0; --page: #fff; --own: #0b7a4b; --other: #59636e; --second: #9a5b00; --third: #3559a8; }
@media (prefers-color-scheme: dark) { :root { --text: #e8ebee; --muted: #a3adb8; --line: #343b43; --page: #14181c; --own: #4fd394; --other: #a3adb8; --second: #e6a94a; --third: #8fb0f5; } }
body { max-width: 960px; margin: 0 auto; padding: 32px 24px 64px; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 30px; line-height: 1.2; } h2 { margin-top: 48px; font-size: 22px; } h3 { margin-top: 32px; font-size: 17px; }
p, li { max-width: 76ch; } .wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 8px 12px 8px 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--muted); font-weight: 500; }
svg { display: block; width: 100%; height: auto; margin: 16px 0; } svg text { fill: var(--text); font: 13px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); } .target { stroke: var(--text); stroke-dasharray: 5 4; }
.bar { stroke: var(--other); stroke-width: 6; stroke-linecap: round; opacity: 0.55; } .dot { fill: var(--other); } .bar.own { stroke: var(--own); } .dot.own { fill: var(--own); }
.line { fill: none; stroke-width: 2.5; } .line-0 { stroke: var(--own); } .line-1 { stroke: var(--second); stroke-dasharray: 7 3; } .line-2 { stroke: var(--third); stroke-dasharray: 2 3; } .line-3 { stroke: var(--other); }
`

export function htmlOf(blocks: readonly Block[]): string {
  const title = blocks.find((block) => block.kind === 'heading')?.text ?? 'Report'
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>`,
    '<body>',
    ...blocks.map(htmlBlock),
    '</body></html>',
    '',
  ].join('\n')
}

function htmlBlock(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `<h${block.level}>${escapeHtml(block.text)}</h${block.level}>`
    case 'paragraph':
      return `<p>${escapeHtml(block.text)}</p>`
    case 'list':
      return `<ul>${block.items.map((item) => `<li>${escapeHtml(item)}</li>`).join('')}</ul>`
    case 'table': {
      const cell = (tag: 'td' | 'th') => (words: string) => `<${tag}>${escapeHtml(words)}</${tag}>`
      const rows = block.rows.map((row) => `<tr>${row.map(cell('td')).join('')}</tr>`)
      const head = `<thead><tr>${block.head.map(cell('th')).join('')}</tr></thead>`
      return `<div class="wide"><table>${head}<tbody>${rows.join('')}</tbody></table></div>`
    }
    case 'chart':
      return block.svg ?? ''
  }
}
