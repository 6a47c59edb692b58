// `npm run release:stage -- PERCENT FILE.yml...`: which share of the machines a release reaches. Written into the
// channel files, which are uploaded again; every machine has a number of its own, so whoever has it keeps it.
import { readFileSync, writeFileSync } from 'node:fs'
import { parseDocument } from 'yaml'

const [percentText = '', ...files] = process.argv.slice(2)
const percent = Number(percentText)
if (!/^\d{1,3}$/.test(percentText) || percent > 100 || files.length === 0) {
  console.error('Usage: npm run release:stage -- PERCENT FILE.yml...   (PERCENT from 0 to 100)')
  process.exit(2)
}
for (const file of files) {
  const document = parseDocument(readFileSync(file, 'utf8'))
  if (document.errors.length > 0 || !document.has('version') || !document.has('files')) {
    console.error(`${file} is no channel file.`)
    process.exit(1)
  }
  document.set('stagingPercentage', percent)
  writeFileSync(file, document.toString())
  console.log(`${file}: version ${document.get('version')} reaches ${percent} % of the machines`)
}
