export { systemTimers, type Timers } from '../kernel/index.ts'
