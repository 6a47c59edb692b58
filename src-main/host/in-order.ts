/** Runs actions one after the other, in the order of the calls; one that fails does not stop the next. */
export function inOrder(): <Result>(action: () => Promise<Result>) => Promise<Result> {
  let tail: Promise<unknown> = Promise.resolve()
  return (action) => {
    const run = tail.then(action)
    tail = run.catch(() => undefined)
    return run
  }
}
