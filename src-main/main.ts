import { startDesktop } from './desktop/index.ts'

startDesktop(import.meta.dirname)
