import { Fragment, type ReactNode } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { CopyButton } from '../../widgets/index.ts'
import { type Block, parseMarkdown, type Span } from './plain-markdown.ts'

/** Text of a model: a handful of marks are drawn, everything else is shown as it came. */
export function Answer({ text, streaming }: { text: string; streaming: boolean }) {
  return (
    <div className="answer" data-streaming={streaming}>
      {keyed(parseMarkdown(text), (block) => (
        <BlockView block={block} />
      ))}
    </div>
  )
}

/** The text only grows at its end, so a place is a name that lasts. */
function keyed<T>(items: readonly T[], draw: (item: T, place: number) => ReactNode): ReactNode {
  return items
    .map((item, place) => [place, item] as const)
    .map(([place, item]) => <Fragment key={place}>{draw(item, place)}</Fragment>)
}

function BlockView({ block }: { block: Block }) {
  switch (block.kind) {
    case 'code':
      return <Code text={block.text} />
    case 'list': {
      const List = block.ordered ? 'ol' : 'ul'
      return (
        <List>
          {keyed(block.items, (item) => (
            <li>
              <Line spans={item} />
            </li>
          ))}
        </List>
      )
    }
    case 'heading':
    case 'paragraph':
      return (
        <p className={block.kind === 'heading' ? 'answer__heading' : undefined}>
          {keyed(block.lines, (line, place) => (
            <>
              {place === 0 ? null : <br />}
              <Line spans={line} />
            </>
          ))}
        </p>
      )
  }
}

function Line({ spans }: { spans: Span[] }) {
  return keyed(spans, ({ kind, text }) => {
    if (kind === 'code') return <code>{text}</code>
    return kind === 'strong' ? <strong>{text}</strong> : text
  })
}

function Code({ text }: { text: string }) {
  const { t } = useTranslation('chat')
  return (
    <div className="answer__code">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, and the keyboard must be able to */}
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
      <CopyButton what={t('codeBlock')} text={text} />
    </div>
  )
}
