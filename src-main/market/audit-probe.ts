import type { Rng } from '../kernel/index.ts'
import type { RemoteRequest } from './work-messages.ts'

/** Words that nobody wrote: an audit shows no prompt of a user to anybody. */
const FORMS = [
  (a: string, b: string) => `What is the difference between ${a} and ${b}?`,
  (a: string, b: string) => `Explain in a few words what ${a} has to do with ${b}.`,
  (a: string, b: string) => `Write one sentence about ${a}, then one about ${b}.`,
  (a: string, b: string) => `I have ${a} but no ${b}. What can I do?`,
  (a: string, b: string) => `Translate into German: “${a} is better than ${b}.”`,
  (a: string, b: string) => `Give me three reasons for ${a} and one against ${b}.`,
  (a: string, b: string) => `Continue the story: We came for ${a} and found ${b}.`,
  (a: string, b: string) => `How would you describe ${a} to somebody who only knows ${b}?`,
  (a: string, b: string) => `Is it true that ${a} causes ${b}?`,
  (a: string, b: string) => `Name a book in which ${a} and ${b} matter.`,
  (a: string, b: string) => `A friend says that ${a} costs less than ${b}. Is he right?`,
  (a: string, b: string) => `Summarise: ${a}, ${b}, and everything in between.`,
]
const KINDS =
  'old new cheap rare public quiet broken modern local wild early digital heavy warm simple'.split(' ')
const THINGS = (
  'bread coffee trains bridges rivers winter music glass paper clocks gardens maps salt engines lighthouses cats ' +
  'markets rain letters stars tea shoes wood memory sleep bicycles chess islands doors wool ships soap kitchens radio ' +
  'mountains batteries teachers newspapers honey tunnels'
).split(' ')

/** Places whose distributions are compared; the longer, the dearer and the surer. */
const TOKENS = 16
const ALTERNATIVES = 4

export type ProbeKind = 'logprobs' | 'text'

/**
 * A question as anybody might ask it, to be answered greedily.
 * @param kind `text`: without log-probabilities, as most questions are; it tells less
 */
export function probeRequest(rng: Rng, kind: ProbeKind): RemoteRequest {
  const pick = <Item>(items: readonly Item[]): Item => {
    const [high = 0, low = 0] = rng.bytes(2)
    const item = items[(high * 256 + low) % items.length]
    if (item === undefined) throw new RangeError('there is nothing to pick from')
    return item
  }
  const thing = () => `${pick(KINDS)} ${pick(THINGS)}`
  const content = pick(FORMS)(thing(), thing())
  return {
    prompt: { type: 'chat', turns: [{ role: 'user', content }] },
    maxTokens: TOKENS,
    stop: [],
    temperature: 0,
    topP: 1,
    ...(kind === 'logprobs' ? { topLogprobs: ALTERNATIVES } : {}),
  }
}
