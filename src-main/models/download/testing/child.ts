import { writeSync } from 'node:fs'
import { mappedNet } from './faulty-server.ts'
import { atRest, HUB_SOURCE, openHouse } from './house.ts'

/** `child.ts DIRECTORY PORT`: downloads from the server on PORT and prints every view as one line of JSON. */
const [directory = '', port = ''] = process.argv.slice(2)
const { downloads } = await openHouse({ net: mappedNet(Number(port)), directory })
const print = (view: unknown): void => {
  writeSync(1, `${JSON.stringify(view)}\n`)
}
for (const download of downloads.list()) print(download)
downloads.onChange(print)
const { id } = await downloads.start(HUB_SOURCE)
await atRest(downloads, id)
await downloads.close()
