import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp'

/** One job's place in the context. */
export interface Lease {
  sequence: LlamaContextSequence
  /** Tokens of the prompt that need not be computed again. */
  cachedTokens: number
}

interface Kept {
  tenant: string
  sequence: LlamaContextSequence
  /** The job that computed it. */
  jobId: number
  /** Whether that job was paid for; before it is, nobody may use what it computed. */
  isSettled: boolean
}

/** A sequence could not be wiped: nobody may use this context again. */
export class UnwipedSequence extends Error {}

/**
 * Shares the context's sequences out among jobs. A finished job's sequence may stay for the next prompt of the same
 * tenant; for anybody else it is wiped first, so that neither content nor the time a prompt takes tells a tenant
 * anything of another. The one that was kept longest goes first.
 */
export class SlotPool {
  readonly #context: LlamaContext
  readonly #slots: number
  /** Oldest first. */
  readonly #kept: Kept[] = []
  #leased = 0
  /** Sequences that exist, whoever has them. */
  #live = 0

  constructor(context: LlamaContext, slots: number) {
    this.#context = context
    this.#slots = slots
  }

  /**
   * The caller takes no more leases than there are slots.
   * @param tenant whose kept sequences may be used; null: a fresh one. @throws UnwipedSequence
   */
  async take(tenant: string | null, prompt: readonly Token[]): Promise<Lease> {
    this.#leased++
    try {
      const kept = this.#bestFor(tenant, prompt)
      if (kept) return await this.#resume(kept, prompt)
      if (this.#kept.length + this.#leased > this.#slots) {
        const [oldest] = this.#kept.splice(0, 1)
        if (oldest) await this.#wipe(oldest.sequence)
      }
      this.#live++
      return { sequence: this.#context.getSequence(), cachedTokens: 0 }
    } catch (error) {
      this.#leased--
      throw error
    }
  }

  /** @param keep whose next prompt may use it, once this job is settled; null wipes it. @throws UnwipedSequence */
  async give({ sequence }: Lease, keep: { tenant: string; jobId: number } | null): Promise<void> {
    if (keep) this.#kept.push({ ...keep, sequence, isSettled: false })
    else await this.#wipe(sequence)
    // Not before it is wiped: until then there is no room for another.
    this.#leased--
  }

  settled(jobId: number): void {
    for (const kept of this.#kept) if (kept.jobId === jobId) kept.isSettled = true
  }

  /** The tenant's sequence that has most of the prompt, out of those that wait. */
  #bestFor(tenant: string | null, prompt: readonly Token[]): Kept | null {
    let best: { index: number; length: number } | null = null
    for (const [index, kept] of this.#kept.entries()) {
      if (kept.tenant !== tenant || !kept.isSettled) continue
      const length = kept.sequence.compareContextTokens([...prompt]).firstDifferentIndex
      if (length > (best?.length ?? 0)) best = { index, length }
    }
    return best ? (this.#kept.splice(best.index, 1)[0] ?? null) : null
  }

  /** Drops what differs. At least the last token is computed again: the answer begins with its result. */
  async #resume({ sequence }: Kept, prompt: readonly Token[]): Promise<Lease> {
    try {
      await sequence.adaptStateToTokens(prompt.slice(0, -1), false)
      return { sequence, cachedTokens: sequence.nextTokenIndex }
    } catch (error) {
      await this.#wipe(sequence)
      throw error
    }
  }

  /** Disposing wipes the whole sequence; erasing by position would miss a batch that failed half-way. */
  async #wipe(sequence: LlamaContextSequence): Promise<void> {
    await sequence.dispose()
    this.#live--
    // The library only logs when it cannot.
    if (this.#context.sequencesLeft < this.#slots - this.#live) {
      throw new UnwipedSequence('a sequence could not be wiped')
    }
  }
}
