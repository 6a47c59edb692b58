import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { chromium } from 'playwright'
import { icnsFile, icoFile } from './containers.ts'

/**
 * Draws every icon from the shapes below: `CHROMIUM=/usr/bin/chromium node build/icons/render.ts`.
 * The results are committed; run it again only when a shape changes.
 */

const root = join(import.meta.dirname, '..', '..')

const CUP =
  'M2.2 1.5h11.6a1 1 0 0 1 1 1.15l-1.6 10.1a2.1 2.1 0 0 1-2.07 1.75H4.87a2.1 2.1 0 0 1-2.07-1.75L1.2 2.65a1 1 0 0 1 1-1.15z'

/** Cut out of the cup, so that the state can be read without colour. */
const MARKS = {
  earning: 'M4.5 4.2h7v2.2H9.1v6H6.9v-6H4.5z',
  paused: 'M5.1 4.6h2.1v6.8H5.1zM8.8 4.6h2.1v6.8H8.8z',
  busy: 'M4 7h2.2v2.2H4zM6.9 7h2.2v2.2H6.9zM9.8 7H12v2.2H9.8z',
  error: 'M6.9 3.8h2.2v5H6.9zM6.9 10h2.2v2.2H6.9z',
}
const DOTS = { earning: '#2fa86a', paused: '#8c857c', busy: '#e0a12b', error: '#d9483b' }

type State = keyof typeof MARKS
const STATES: State[] = ['earning', 'paused', 'busy', 'error']

function traySvg(state: State, color: string, dot: boolean): string {
  const badge = dot
    ? `<mask id="m"><rect width="16" height="16" fill="#fff"/><circle cx="12.6" cy="12.6" r="4.1" fill="#000"/></mask>`
    : ''
  const circle = dot ? `<circle cx="12.6" cy="12.6" r="3.2" fill="${DOTS[state]}"/>` : ''
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${badge}<path fill="${color}" fill-rule="evenodd" d="${CUP}${MARKS[state]}"${dot ? ' mask="url(#m)"' : ''}/>${circle}</svg>`
}

/** `margin` of 1024: macOS wants air around its tile, the others do not. */
function appSvg(margin: number): string {
  const side = 1024 - 2 * margin
  const scale = (side * 0.6) / 16
  const offset = 512 - 8 * scale
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1024 1024">
    <defs>
      <linearGradient id="tile" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#4a2f22"/><stop offset="1" stop-color="#1d110b"/></linearGradient>
      <linearGradient id="cream" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#fff7e8"/><stop offset="1" stop-color="#ecd3a8"/></linearGradient>
      <clipPath id="cup"><path d="${CUP}"/></clipPath>
    </defs>
    <rect x="${margin}" y="${margin}" width="${side}" height="${side}" rx="${side * 0.225}" fill="url(#tile)"/>
    <g transform="translate(${offset} ${offset + side * 0.012}) scale(${scale})">
      <g clip-path="url(#cup)">
        <rect width="16" height="16" fill="url(#cream)"/>
        <rect width="16" height="3.1" fill="#a5673f"/>
      </g>
      <path d="M4.6 5h6.8v2H9v5.6H7V7H4.6z" fill="#2a1810"/>
    </g>
  </svg>`
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--force-color-profile=srgb'],
})
const page = await browser.newPage()

async function png(svg: string, size: number): Promise<Buffer> {
  await page.setViewportSize({ width: size, height: size })
  await page.setContent(`<style>*{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${svg}`)
  return await page.screenshot({ omitBackground: true })
}

function save(path: string, content: Uint8Array): void {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
}

for (const state of STATES) {
  save(`resources/tray/${state}Template.png`, await png(traySvg(state, '#000', false), 16))
  save(`resources/tray/${state}Template@2x.png`, await png(traySvg(state, '#000', false), 32))
  save(`resources/tray/${state}-light.png`, await png(traySvg(state, '#2b1d16', true), 32))
  save(`resources/tray/${state}-dark.png`, await png(traySvg(state, '#f6ead9', true), 32))
}

const images = async (margin: number, sizes: number[]): Promise<Map<number, Buffer>> => {
  const bySize = new Map<number, Buffer>()
  for (const size of sizes) bySize.set(size, await png(appSvg(margin), size))
  return bySize
}
const tile = await images(24, [16, 24, 32, 48, 64, 128, 256, 512])
for (const size of [16, 32, 48, 64, 128, 256, 512]) {
  save(`build/icons/linux/${size}x${size}.png`, tile.get(size) ?? Buffer.alloc(0))
}
save('resources/icons/icon.png', tile.get(256) ?? Buffer.alloc(0))
save(
  'build/icons/icon.ico',
  icoFile([16, 24, 32, 48, 64, 128, 256].map((size) => ({ size, png: tile.get(size) ?? Buffer.alloc(0) }))),
)
const mac = await images(100, [32, 64, 128, 256, 512, 1024])
save('build/icons/icon.icns', icnsFile(mac))
await browser.close()
