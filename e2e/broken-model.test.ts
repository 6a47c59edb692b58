import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { tinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import { endProcess, firstLine, root, startHeadless, temporaryDirectory } from './support/host.ts'

const data = temporaryDirectory()
afterAll(() => data.remove())

/** Starts a host on a file that is no good and returns what it prints, and its exit code. */
async function failure(
  name: string,
  content: Buffer | null,
): Promise<{ code: string; message: string; exit: number | null }> {
  const path = join(data.path, `${name}.gguf`)
  if (content) writeFileSync(path, content)
  const { child, line } = await firstLine([
    join(root, 'out/main/headless.js'),
    ...['--data-dir', join(data.path, 'host'), '--port', '0', '--model', path],
  ])
  const { event, error } = JSON.parse(line) as {
    event: string
    error: { code: string; message: string; nextStep: string }
  }
  expect(event).toBe('failed')
  expect(error.message).toBeTruthy()
  expect(error.nextStep).toBeTruthy()
  const exit = child.exitCode ?? (await new Promise<number | null>((resolve) => child.on('exit', resolve)))
  return { code: error.code, message: error.message, exit }
}

function withBytes(offset: number, bytes: number[]): Buffer {
  const file = tinyGguf()
  file.set(bytes, offset)
  return file
}

describe('a model file that is no good is refused with a reason, and the next start works', () => {
  it.each<[string, Buffer | null, string]>([
    ['missing', null, 'MODEL_FILE_MISSING'],
    ['empty', Buffer.alloc(0), 'MODEL_FILE_INVALID'],
    ['text', Buffer.from('this is not a model '.repeat(50)), 'MODEL_FILE_INVALID'],
    ['cut-header', tinyGguf().subarray(0, 200), 'MODEL_FILE_INVALID'],
    ['cut-tensors', tinyGguf().subarray(0, -5000), 'MODEL_FILE_INVALID'],
    ['huge-tensor-count', withBytes(8, [255, 255, 255, 255, 255, 255, 255, 127]), 'MODEL_FILE_INVALID'],
    ['huge-pair-count', withBytes(16, [255, 255, 255, 255, 255, 255, 255, 127]), 'MODEL_FILE_INVALID'],
    ['wrong-version', withBytes(4, [99]), 'MODEL_FILE_INVALID'],
  ])('%s', async (name, content, code) => {
    expect(await failure(name, content)).toMatchObject({ code, exit: 1 })
  })

  it('a good file after all these', async () => {
    const path = join(data.path, 'good.gguf')
    writeFileSync(path, tinyGguf())
    const host = await startHeadless(join(data.path, 'host'), '--model', path)
    await host.end('SIGTERM')
    expect(host.ready.model).toBe('good')
  })
})

it('two hosts on one data directory: the second refuses and the first goes on', async () => {
  const host = await startHeadless(join(data.path, 'host'))
  const second = await firstLine([
    join(root, 'out/main/headless.js'),
    ...['--data-dir', join(data.path, 'host'), '--port', '0'],
  ])
  expect(JSON.parse(second.line)).toMatchObject({ event: 'failed', error: { code: 'LEDGER_LOCKED' } })
  expect((await host.api('/models')).status).toBe(200)
  await host.end('SIGTERM')
})

it('a journal with a damaged acknowledged record is never truncated: the host refuses to start', async () => {
  const directory = join(data.path, 'damaged')
  const host = await startHeadless(directory)
  for (const content of ['hello', 'What is TRM?', 'bye']) {
    await host.client.chat.completions.create({
      model: host.ready.model,
      messages: [{ role: 'user', content }],
    })
  }
  await host.end('SIGTERM')
  const path = join(directory, 'ledger/journal.log')
  const bytes = readFileSync(path)
  bytes[200] = (bytes[200] as number) ^ 1
  writeFileSync(path, bytes)
  const arguments_ = [join(root, 'out/main/headless.js'), '--data-dir', directory, '--port', '0']
  const refused = await firstLine(arguments_)
  expect(JSON.parse(refused.line)).toMatchObject({ event: 'failed', error: { code: 'JOURNAL_DAMAGED' } })
  await endProcess(refused.child, 'SIGKILL')
  expect(readFileSync(path).equals(bytes)).toBe(true)
  truncateSync(path, bytes.length - 10)
  const shortened = await firstLine(arguments_)
  expect(JSON.parse(shortened.line)).toMatchObject({ event: 'failed', error: { code: 'JOURNAL_DAMAGED' } })
})
