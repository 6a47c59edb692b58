import type { ReactNode } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import { i18n } from '../../i18n/index.ts'
import { StoresProvider } from '../../stores/context.tsx'
import { createStores } from '../../stores/index.ts'
import { FakeClient } from '../../testing/fake-client.ts'
import { sampleQuestion, sampleThought } from '../../testing/reason-samples.ts'
import { baselinesOf, ComparePanel } from './ComparePanel.tsx'
import { MazeAnswer } from './MazeBoard.tsx'
import { PlaygroundPage } from './PlaygroundPage.tsx'
import { inOrder, questionInput, readAnswer, readQuestion } from './questions.ts'
import { digitOf, SudokuAnswer, SudokuEditor } from './SudokuBoard.tsx'
import { thresholdWords } from './ThoughtPanel.tsx'
import { nextCell } from './useGridKeys.ts'

const stores = createStores(new FakeClient())
const markup = (children: ReactNode) =>
  renderToStaticMarkup(<StoresProvider stores={stores}>{children}</StoresProvider>)
const words = (children: ReactNode) =>
  markup(children)
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ')

const input = sampleQuestion('sudoku-6x6', 0)
const thought = { ...sampleThought('sudoku-6x6'), task: 'sudoku-6x6', input, effort: 'medium' as const }
const t = i18n.getFixedT('en', 'playground')

describe('the keyboard on a board', () => {
  it('moves within the board and never off it', () => {
    for (const side of [4, 11]) {
      for (const key of ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End']) {
        for (let cell = 0; cell < side * side; cell += 1) {
          const next = nextCell(key, cell, side) ?? -1
          expect(next).toBeGreaterThanOrEqual(0)
          expect(next).toBeLessThan(side * side)
          const sameRow = Math.floor(next / side) === Math.floor(cell / side)
          expect(sameRow || next % side === cell % side).toBe(true)
        }
      }
    }
    expect(nextCell('ArrowDown', 0, 6)).toBe(6)
    expect(nextCell('End', 7, 6)).toBe(11)
    expect(nextCell('Tab', 7, 6)).toBeNull()
  })

  it('puts the digits of the grid and clears; other keys are left alone', () => {
    expect(
      ['1', '6', '7', '0', 'Delete', 'Backspace', 'a', 'Tab', '12'].map((key) => digitOf(key, 6)),
    ).toEqual([1, 6, null, 0, 0, 0, null, null, null])
  })

  it('has one cell of the board in the tab order, and names each', () => {
    const cells = [1, 0, ...new Array<number>(13).fill(0), 2]
    const html = markup(<SudokuEditor side={4} cells={cells} given={cells.with(15, 0)} onChange={() => {}} />)
    expect(html.match(/class="cell" tabindex="0"/g)).toHaveLength(1)
    expect(html).toContain('row 1, column 1: 1, given')
    expect(html).toContain('row 1, column 2: blank')
    expect(html).toContain('row 4, column 4: 2, yours')
  })
})

describe('the answer of a step', () => {
  it('says in words what changed and what breaks a rule', () => {
    const question = new Array<number>(16).fill(0).with(5, 4)
    const answer = [1, 1, 2, 3, 4, 2, ...new Array<number>(10).fill(0)]
    const html = markup(
      <SudokuAnswer side={4} question={question} answer={answer} changed={new Set([2])} heat={null} />,
    )
    const cells = html.match(/<td.*?<\/td>/g) ?? []
    expect(cells[0]).toContain('breaks a rule')
    expect(cells[2]).toContain('changed')
    expect(cells[3]).not.toMatch(/changed<|breaks/)
    // The question gave a 4 there.
    expect(cells[5]).toContain('breaks a rule')
  })

  it('is counted for who cannot see a maze', () => {
    const maze = sampleQuestion('maze', 0) as { side: number; cells: number[] }
    const html = markup(<MazeAnswer maze={maze} path={[8, 9]} changed={new Set([9])} heat={null} />)
    expect(html).toContain('2 cells, 1 changed, 2 cannot be right')
  })
})

describe('the halting threshold in words', () => {
  it('says where, what it saves and whether the answer is the same', () => {
    expect(thresholdWords(t, thought, 1)).toMatch(
      /step 2 of 5, with another answer.*saved 3.6 GFLOP, 3 TRM: 60 % of the work/,
    )
    expect(thresholdWords(t, thought, 3)).toMatch(/step 4 of 5, with the same answer.*1.2 GFLOP, 1 TRM/)
    expect(thresholdWords(t, thought, 4)).toContain('nothing saved')
    expect(thresholdWords(t, thought, null)).toContain('would not have stopped')
    expect(thresholdWords(t, { ...thought, councilSteps: 3 }, 1)).toContain('not known')
  })
})

describe('the comparison', () => {
  it('is made with an exact solver, and only where there is one', () => {
    expect(baselinesOf(t, thought)).toMatchObject([
      { name: 'Backtracking', result: 'Right, the same answer' },
    ])
    const maze = { ...thought, ...sampleThought('maze'), task: 'maze', input: sampleQuestion('maze', 0) }
    expect(baselinesOf(t, maze)).toMatchObject([
      { name: 'Breadth-first search', result: 'Right, the same way' },
    ])
    expect(
      baselinesOf(t, { ...thought, ...sampleThought('op-sequence'), task: 'op-sequence', input: {} }),
    ).toEqual([])
  })

  it('proves what the network cannot', () => {
    const cells = new Array<number>(36).fill(0).with(0, 3).with(1, 3)
    expect(baselinesOf(t, { ...thought, input: { cells } })[0]?.result).toBe(
      'Proved that there is no solution',
    )
    expect(words(<ComparePanel />)).toBe('')
  })
})

describe('questions and answers of the host', () => {
  it('are shown with a board where there is one, and sent back in their own form', () => {
    for (const task of ['sudoku-6x6', 'maze', 'op-sequence', 'funnel-choice']) {
      const asked = sampleQuestion(task, 3)
      const question = readQuestion(t, task, asked)
      if (question === null) throw new Error(`${task} cannot be read`)
      expect(questionInput(question, asked)).toEqual(asked)
      expect(readAnswer(t, task, sampleThought(task).answer)).not.toBeNull()
    }
  })

  it.each([null, 7, {}, { cells: [1, 2] }, { side: 5, cells: [0] }, { cells: 'x' }])(
    'are not shown as something else when they are %j',
    (wrong) => {
      expect(readQuestion(t, 'sudoku-6x6', wrong)).toBeNull()
      expect(readQuestion(t, 'maze', wrong)).toBeNull()
      expect(readQuestion(t, 'op-sequence', wrong)?.kind).toBe('facts')
    },
  )

  it('may be of a task that this window does not know', () => {
    expect(inOrder(['chess', 'maze', 'sudoku-9x9'])).toEqual(['sudoku-9x9', 'maze', 'chess'])
    expect(readQuestion(t, 'chess', { board: 'e4' })).toMatchObject({ facts: [{ value: '{"board":"e4"}' }] })
    expect(readAnswer(t, 'chess', { move: 'e5' })).toEqual({ kind: 'said', sentence: '{"move":"e5"}' })
  })
})

describe('the page', () => {
  it('says what this is and who pays before anything has come', () => {
    const seen = words(<PlaygroundPage />)
    expect(seen).toContain('Loading the tasks')
    expect(seen).toContain('use, not income')
  })
})
