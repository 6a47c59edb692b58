// `npm run release:fuses`: reads the fuses of every app in dist/ and stops the release where one is not as decided.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses'
import { fuseTarget } from '../electron-builder.ts'
import { RELEASE_FUSES } from '../fuses.ts'

const dist = join(import.meta.dirname, '../../dist')
const systems = { mac: 'darwin', win: 'win32', linux: 'linux' } as const
const apps = readdirSync(dist).flatMap((folder) => {
  const system = /^(mac|win|linux)(-[a-z0-9]+)*(-unpacked)?$/.exec(folder)?.[1] as
    | keyof typeof systems
    | undefined
  return system !== undefined && statSync(join(dist, folder)).isDirectory()
    ? [fuseTarget(systems[system], join(dist, folder), 'Tirami Host')]
    : []
})
if (apps.length === 0) {
  console.error('There is no app in dist/.')
  process.exit(1)
}
for (const app of apps) {
  const wire = await getCurrentFuseWire(app)
  for (const [option, on] of Object.entries(RELEASE_FUSES)) {
    const name = FuseV1Options[Number(option)]
    if (wire[Number(option) as FuseV1Options] === (on ? FuseState.ENABLE : FuseState.DISABLE)) continue
    console.error(`${app}: the fuse ${name} is not ${on ? 'on' : 'off'}.`)
    process.exitCode = 1
  }
  console.log(`${app}: read`)
}
