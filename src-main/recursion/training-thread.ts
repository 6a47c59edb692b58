import { serveJobs } from '../tensor/index.ts'
import { trainingWorker } from './training-worker.ts'

serveJobs(trainingWorker)
