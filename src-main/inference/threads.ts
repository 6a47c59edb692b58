/** Models below this many weights run fastest on one thread. */
const SINGLE_THREAD_PARAMETERS = 300_000_000n

/**
 * Threads to compute with. Small models take one: waking a second thread for every token costs more than
 * the token (measured: 13 times slower at 0.85M weights, 2 times at 136M, 1.3 times at 397M; probes §1).
 * Larger ones take all cores but one, which stays with the window and the host. Never more than the cores:
 * llama.cpp's threads spin, and one too many stalls them all.
 *
 * @param parameters weights of the model.
 * @param cores cores of the machine, at least 1.
 */
export function chooseThreads(parameters: bigint | number, cores: number): number {
  if (BigInt(parameters) < SINGLE_THREAD_PARAMETERS) return 1
  return Math.max(1, cores - 1)
}
