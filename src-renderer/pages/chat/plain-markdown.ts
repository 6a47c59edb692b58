/** A piece of a line. There is no link and no image: an address stays text. */
export interface Span {
  kind: 'text' | 'code' | 'strong'
  text: string
}

export type Block =
  | { kind: 'paragraph' | 'heading'; lines: Span[][] }
  | { kind: 'list'; ordered: boolean; items: Span[][] }
  | { kind: 'code'; text: string }

const FENCE = /^ {0,3}```/
const HEADING = /^#{1,6} +(?=\S)/
const BULLET = /^ {0,3}[-*•] +(?=\S)/
const NUMBER = /^ {0,3}\d{1,3}[.)] +(?=\S)/
const SPAN = /`([^`\n]+)`|\*\*([^*\n]+)\*\*/g

/**
 * The few marks that models write, as a tree of texts: fenced code, lists, headings, `code` and **strong**. All else,
 * HTML and links above all, is text. Nothing of it becomes an element, an attribute or an address.
 */
export function parseMarkdown(source: string): Block[] {
  const blocks: Block[] = []
  const lines = source.split(/\r\n|\r|\n/)
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? ''
    if (line.trim() === '') at += 1
    else if (FENCE.test(line)) at = readCode(lines, at, blocks)
    else if (HEADING.test(line)) {
      blocks.push({ kind: 'heading', lines: [spansOf(line.replace(HEADING, ''))] })
      at += 1
    } else if (BULLET.test(line)) at = readList(lines, at, BULLET, blocks)
    else if (NUMBER.test(line)) at = readList(lines, at, NUMBER, blocks)
    else at = readParagraph(lines, at, blocks)
  }
  return blocks
}

/** A fence that is still open while the answer streams holds all that follows. */
function readCode(lines: readonly string[], start: number, blocks: Block[]): number {
  const rest = lines.slice(start + 1)
  const length = rest.findIndex((line) => FENCE.test(line))
  const code = length < 0 ? rest : rest.slice(0, length)
  blocks.push({ kind: 'code', text: code.join('\n') })
  return length < 0 ? lines.length : start + length + 2
}

function readList(lines: readonly string[], start: number, mark: RegExp, blocks: Block[]): number {
  let end = start
  while (mark.test(lines[end] ?? '')) end += 1
  const items = lines.slice(start, end).map((line) => spansOf(line.replace(mark, '')))
  blocks.push({ kind: 'list', ordered: mark === NUMBER, items })
  return end
}

const beginsBlock = (line: string) =>
  line.trim() === '' || [FENCE, HEADING, BULLET, NUMBER].some((mark) => mark.test(line))

function readParagraph(lines: readonly string[], start: number, blocks: Block[]): number {
  let end = start + 1
  while (end < lines.length && !beginsBlock(lines[end] ?? '')) end += 1
  blocks.push({ kind: 'paragraph', lines: lines.slice(start, end).map(spansOf) })
  return end
}

function spansOf(line: string): Span[] {
  const spans: Span[] = []
  let from = 0
  for (const match of line.matchAll(SPAN)) {
    const [whole, code, strong] = match
    if (match.index > from) spans.push({ kind: 'text', text: line.slice(from, match.index) })
    spans.push(code === undefined ? { kind: 'strong', text: strong ?? '' } : { kind: 'code', text: code })
    from = match.index + whole.length
  }
  if (from < line.length) spans.push({ kind: 'text', text: line.slice(from) })
  return spans
}
