import { serveJobs } from '../../src-main/tensor/index.ts'
import { trainingThread } from './worker.ts'

serveJobs(trainingThread)
