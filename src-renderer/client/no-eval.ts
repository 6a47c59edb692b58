import { z } from 'zod'

// The page's policy forbids eval. Zod probes for it when a schema is built, and the probe alone is reported
// as a violation: this file has to be imported before the contract.
z.config({ jitless: true })
