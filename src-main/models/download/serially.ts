/** Runs changes one after the other; a failed one does not stop the next. */
export function serially(): <Result>(change: () => Promise<Result>) => Promise<Result> {
  let tail: Promise<unknown> = Promise.resolve()
  return (change) => {
    const run = tail.then(change)
    tail = run.catch(() => {})
    return run
  }
}
