import { useEffect, useState } from 'react'

/**
 * A choice that shows at once and is sent when the host is free: arrow keys go through several faster than it answers.
 *
 * @param said what the host has
 * @param send resolves with null when the host refused
 * @returns what to show, and how to choose
 */
export function useWanted<Choice extends string>(
  said: Choice,
  running: boolean,
  send: (choice: Choice) => Promise<unknown>,
): [shown: Choice, choose: (choice: Choice) => void] {
  const [wanted, setWanted] = useState<Choice | null>(null)

  // biome-ignore lint/correctness/useExhaustiveDependencies: `send` is made anew with every drawing
  useEffect(() => {
    if (wanted === null || running) return
    if (wanted === said) setWanted(null)
    else {
      void send(wanted).then((answer) => {
        if (answer === null) setWanted((now) => (now === wanted ? null : now))
      })
    }
  }, [wanted, said, running])

  return [wanted ?? said, setWanted]
}
