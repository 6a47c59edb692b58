interface Waiting {
  tenant: string
  priority: 'owner' | 'paid'
}

/**
 * Jobs that wait for a slot. Of the tenants that wait, the one with the fewest running jobs is next, and among equals
 * the one that waited longest for its turn; within a tenant the first that came. The owner's jobs go before paid ones
 * every other time, so that neither starves the other.
 */
export class FairQueue<Job extends Waiting> {
  /** First come, first served within a tenant; tenants in the order of their next turn. */
  readonly #owner = new Map<string, Job[]>()
  readonly #paid = new Map<string, Job[]>()
  #lastWasOwner = false

  get size(): number {
    return this.all().length
  }

  all(): Job[] {
    return [...this.#owner.values(), ...this.#paid.values()].flat()
  }

  waitingOf(tenant: string): number {
    return (this.#owner.get(tenant)?.length ?? 0) + (this.#paid.get(tenant)?.length ?? 0)
  }

  /** Tenants that wait. */
  tenants(): number {
    return new Set([...this.#owner.keys(), ...this.#paid.keys()]).size
  }

  add(job: Job): void {
    const lane = this.#lane(job)
    const jobs = lane.get(job.tenant)
    if (jobs) jobs.push(job)
    else lane.set(job.tenant, [job])
  }

  /** @param running how many jobs of a tenant run now. */
  next(running: (tenant: string) => number): Job | null {
    const ownerFirst = this.#owner.size > 0 && (!this.#lastWasOwner || this.#paid.size === 0)
    const lane = ownerFirst ? this.#owner : this.#paid
    let chosen: { tenant: string; running: number } | null = null
    for (const tenant of lane.keys()) {
      const count = running(tenant)
      if (chosen === null || count < chosen.running) chosen = { tenant, running: count }
    }
    const jobs = chosen && lane.get(chosen.tenant)
    const job = jobs?.shift()
    if (!chosen || !jobs || !job) return null
    this.#lastWasOwner = ownerFirst
    // Its next turn comes after everybody else's.
    lane.delete(chosen.tenant)
    if (jobs.length > 0) lane.set(chosen.tenant, jobs)
    return job
  }

  remove(job: Job): void {
    const lane = this.#lane(job)
    const left = lane.get(job.tenant)?.filter((waiting) => waiting !== job) ?? []
    if (left.length > 0) lane.set(job.tenant, left)
    else lane.delete(job.tenant)
  }

  /** Empties the queue. */
  takeAll(): Job[] {
    const jobs = this.all()
    this.#owner.clear()
    this.#paid.clear()
    return jobs
  }

  #lane(job: Job): Map<string, Job[]> {
    return job.priority === 'owner' ? this.#owner : this.#paid
  }
}
