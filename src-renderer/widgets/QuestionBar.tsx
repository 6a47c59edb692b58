import { type ReactNode, useEffect, useId, useRef } from 'react'
import { Button } from './Button.tsx'
import type { Question } from './useQuestion.ts'

interface QuestionBarProps {
  question: Question
  /** Names what will be done. */
  yes: string
  no: string
  onYes: () => void
  children: ReactNode
}

/** The keyboard starts on the answer that changes nothing; Escape gives it too. */
export function QuestionBar({ question, yes, no, onYes, children }: QuestionBarProps) {
  const sentenceId = useId()
  const refuse = useRef<HTMLButtonElement>(null)
  useEffect(() => refuse.current?.focus(), [])
  return (
    // biome-ignore lint/a11y/useSemanticElements: no fieldset; these are two buttons of one question
    <div
      className="question"
      role="group"
      aria-labelledby={sentenceId}
      onKeyDown={({ key }) => {
        if (key === 'Escape') question.close()
      }}
    >
      <p id={sentenceId}>{children}</p>
      <Button
        onClick={() => {
          question.close()
          onYes()
        }}
      >
        {yes}
      </Button>
      <Button ref={refuse} look="accent" onClick={question.close}>
        {no}
      </Button>
    </div>
  )
}
