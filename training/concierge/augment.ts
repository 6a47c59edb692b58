// Seeded variations of a question: other words for the same thing, politeness, typing habits, slips of the finger.

import { normaliseQuestion } from './corpus.ts'

/** Phrases that stand for one another. A phrase is matched as whole words, in lower case. */
const INTERCHANGEABLE: readonly (readonly string[])[] = [
  ['how do i', 'how can i', 'how to', 'how would i', 'how should i', 'how could i', 'what is the way to'],
  ['how do you', 'how does one', 'how do i'],
  ['can i', 'could i', 'may i', 'am i able to', 'is it possible to', 'is there a way to', 'can you'],
  ['do i need to', 'must i', 'do i have to', 'should i'],
  ['i want to', 'i would like to', 'i need to', "i'd like to", 'i wanna', 'help me', 'let me'],
  [
    'what is',
    "what's",
    'whats',
    'what is a',
    'what is the',
    'define',
    'explain',
    'what exactly is',
    'tell me about',
  ],
  ['what are', 'tell me about', 'explain', 'what are the'],
  ['explain', 'describe', 'can you explain', 'tell me about', 'tell me more about', 'please explain'],
  ['what does', 'what did', 'what would'],
  ['what do you mean by', 'what is meant by', 'what is'],
  ['what happens if', 'what if', 'what happens when', 'what will happen if', 'what happens once'],
  [
    'where is',
    "where's",
    'where can i find',
    'where do i find',
    'where do i see',
    'how do i find',
    'where to find',
  ],
  ['where do i', 'where can i', 'where should i', 'where to', 'how do i'],
  ['why is', 'why was', 'how come', "why's", 'why did'],
  ['why do i', 'why am i', 'why did i', 'how come i'],
  [
    'is there',
    'do you have',
    'does it have',
    'have you got',
    'is there any',
    'does the app have',
    'do we have',
  ],
  ['does it', 'does the app', 'does this', 'will it', 'does tirami host', 'does tirami', 'does this app'],
  ['can it', 'can the app', 'can this', 'can tirami host', 'could it', 'will it'],
  ['is it', 'is this', 'is the app', 'is that', 'is this app', 'is tirami'],
  [
    'the app',
    'this app',
    'tirami host',
    'tirami',
    'the program',
    'the software',
    'this program',
    'the host',
    'it',
  ],
  ['app', 'program', 'software', 'application', 'tool', 'thing'],
  ['computer', 'machine', 'pc', 'device', 'box', 'system'],
  ['laptop', 'notebook', 'computer'],
  ['answers', 'replies', 'responses'],
  ['answer', 'reply', 'response'],
  ['show', 'display', 'list', 'give me', 'show me'],
  ['see', 'view', 'find', 'look at', 'check', 'get'],
  ['find', 'locate', 'get', 'look up', 'see'],
  ['change', 'modify', 'adjust', 'edit', 'alter', 'switch', 'set'],
  ['delete', 'remove', 'erase', 'get rid of', 'wipe'],
  ['start', 'launch', 'run', 'open', 'begin'],
  ['stop', 'halt', 'end', 'turn off'],
  ['turn on', 'enable', 'switch on', 'activate'],
  ['turn off', 'disable', 'switch off', 'deactivate'],
  ['make', 'earn', 'get', 'receive'],
  ['use', 'try', 'work with', 'have'],
  ['money', 'cash', 'dollars', 'income'],
  ['fast', 'quick', 'speedy', 'rapid'],
  ['slow', 'sluggish', 'laggy'],
  ['error', 'message', 'fault', 'problem', 'issue', 'code'],
  ['problem', 'issue', 'trouble', 'fault'],
  ['broken', 'damaged', 'corrupt', 'corrupted', 'bad'],
  ['fails', 'breaks', 'crashes', 'dies', 'goes wrong', 'failed'],
  ['folder', 'directory', 'location', 'path'],
  ['safe', 'secure', 'okay', 'dangerous', 'risky', 'ok'],
  ['price', 'cost', 'rate', 'fee'],
  ['keep', 'store', 'save', 'hold', 'record'],
  ['kept', 'stored', 'saved', 'held', 'recorded'],
  ['journal', 'ledger', 'log'],
  ['prompt', 'message', 'text', 'question', 'chat'],
  ['prompts', 'messages', 'texts', 'questions', 'chats', 'conversations'],
  ['people', 'others', 'somebody', 'someone', 'other people', 'anyone'],
  ['big', 'large', 'huge'],
  ['small', 'tiny', 'little'],
  ['needed', 'required', 'necessary'],
  ['need', 'require', 'want'],
  ['allowed', 'permitted', 'possible', 'supported'],
  ['work', 'function', 'run', 'go'],
  ['used for', 'for', 'good for', 'meant for'],
  ['meaning', 'definition', 'explanation'],
  ['send', 'pass', 'give', 'submit', 'put'],
  ['api', 'interface', 'api server'],
  ['internet', 'web', 'net', 'online'],
  ['now', 'right now', 'currently', 'at the moment', 'today'],
  ['many', 'several', 'lots of', 'multiple'],
  ['another', 'a different', 'a new', 'other'],
  ['my', 'the', 'our', 'your'],
  ['a', 'the', 'some'],
  ['developer', 'developers', 'authors', 'team', 'makers'],
  ['job', 'request', 'task'],
  ['ai', 'llm', 'language model'],
]

const CONTRACTIONS: readonly (readonly [string, string])[] = [
  ['what is', "what's"],
  ['where is', "where's"],
  ['who is', "who's"],
  ['how is', "how's"],
  ['that is', "that's"],
  ['it is', "it's"],
  ['i am', "i'm"],
  ['you are', "you're"],
  ['i have', "i've"],
  ['i would', "i'd"],
  ['do not', "don't"],
  ['does not', "doesn't"],
  ['is not', "isn't"],
  ['did not', "didn't"],
  ['cannot', "can't"],
  ['can not', "can't"],
  ['will not', "won't"],
]

const PREFIXES: readonly string[] = [
  'please ',
  'hey, ',
  'hi, ',
  'hello, ',
  'hello! ',
  'so ',
  'so, ',
  'ok, ',
  'ok so ',
  'and ',
  'but ',
  'um ',
  'sorry, ',
  'excuse me, ',
  'quick question: ',
  'one question: ',
  'question: ',
  'can you tell me ',
  'could you tell me ',
  'tell me ',
  'please tell me ',
  'do you know ',
  'i want to know ',
  'i would like to know ',
  'just wondering, ',
  'i was wondering ',
  'can you please explain ',
  'i do not understand, ',
  'concierge, ',
  'help, ',
  'well ',
]

const SUFFIXES: readonly string[] = [
  ' please',
  ' pls',
  ', please',
  ' thanks',
  ', thanks',
  ' thx',
  ' then',
  ' here',
  ' exactly',
  ' in this app',
  ' in the app',
  ' in tirami host',
  ' with this',
  ' with tirami',
  ' for me',
  ' now',
  ' actually',
  ' really',
  ' in general',
  ' today',
  ' again',
  ' on my computer',
  ' or not',
  ' and why',
]

/** Sentences around a question that do not change what is asked. */
const ASIDES: readonly string[] = [
  'I just installed this.',
  'I just installed the app on my computer.',
  'I am new here.',
  'I am new to all of this and not very technical.',
  'I have a quick question.',
  'I have a question about the app.',
  'I have been using it for a few days now.',
  'A friend told me about this yesterday.',
  'I read about it on the internet last week.',
  'I have an old laptop with Windows 11 and 16 GB of RAM.',
  'I bought a new computer last month.',
  'I run it on my desktop at home, most of the time at night.',
  'I work from home and my machine is on all day long.',
  'I would like to understand this a bit better.',
  'I am a bit worried about something.',
  'I looked everywhere but could not find it.',
  'I tried a few things already and nothing helped.',
  'I am not sure if I understand it.',
  'I hope you can help me with this.',
  'Maybe this is a silly question.',
  'Sorry to bother you again.',
  'Sorry for my bad English.',
  'Thank you very much in advance for your help.',
  'Thanks a lot for your time!',
  'Thanks for any hint.',
  'Could you please explain it in detail, with examples?',
  'Please answer in one sentence.',
  'Please answer the following question.',
  'Please explain it step by step.',
  'Please be brief.',
  'Give me a short answer, please.',
  'Explain it to me as if I were five years old.',
  'You are a helpful assistant.',
  'You are an expert. Answer truthfully and in a friendly way.',
  'Hello concierge!',
  'Hi there, hope you are well.',
  'Good morning!',
  'My brother wants to know this too.',
  'My wife asked me this today and I had no answer.',
  'I asked somebody else but they did not know.',
  'It is raining here and I have some time to read about it.',
  'Before I go on I need to know one thing.',
  'Let me know what you think.',
  'That is all I want to know for now.',
  'This is important for me because I need it for work tomorrow.',
  'I need this today, so please be quick.',
]

/** What stands between two questions. */
const JOINTS: readonly string[] = [
  ' ',
  ', ',
  ' and ',
  '. ',
  '? ',
  '? and ',
  ', I mean ',
  '? also, ',
  '. In other words: ',
]

/** Words that say little about the topic: the first to be dropped. */
const LIGHT_WORDS = new Set(
  'a an the is are was do does did can could will would should i me my you your it its this that to of for in on at with and or so be if there any some just please have has from by what how when where which'.split(
    ' ',
  ),
)

const KEYBOARD_ROWS: readonly string[] = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm']

/** How often each variation happens, as a probability per question. */
const RATES = {
  unchanged: 0.1,
  synonym: 0.55,
  secondSynonym: 0.3,
  contraction: 0.3,
  prefix: 0.2,
  suffix: 0.12,
  dropLightWord: 0.3,
  dropAnyWord: 0.15,
  swapWords: 0.05,
  typo: 0.2,
  secondTypo: 0.3,
  otherNumbers: 0.4,
  dropApostrophes: 0.25,
  dropPunctuation: 0.55,
  questionMark: 0.35,
  secondQuestion: 0.12,
  asideBefore: 0.12,
  asideAfter: 0.06,
} as const

export type Random = () => number

function pick<Item>(items: readonly Item[], random: Random): Item {
  return items[Math.floor(random() * items.length)] as Item
}

const WORD_CHARACTER = /[\p{L}\p{N}']/u

/** Where `phrase` stands as whole words in `text`; -1 where it does not. */
function findWords(text: string, phrase: string): number {
  for (let at = text.indexOf(phrase); at >= 0; at = text.indexOf(phrase, at + 1)) {
    const [before, after] = [text[at - 1] ?? ' ', text[at + phrase.length] ?? ' ']
    if (!WORD_CHARACTER.test(before) && !WORD_CHARACTER.test(after)) return at
  }
  return -1
}

/** Replaces `from`, which must stand in `text`, by `to`. */
function replaceWords(text: string, from: string, to: string): string {
  const at = findWords(text, from)
  return text.slice(0, at) + to + text.slice(at + from.length)
}

function substituteSynonym(text: string, random: Random): string {
  const choices = INTERCHANGEABLE.flatMap((group) => {
    return group.filter((phrase) => findWords(text, phrase) >= 0).map((phrase) => ({ group, phrase }))
  })
  if (choices.length === 0) return text
  const { group, phrase } = pick(choices, random)
  return replaceWords(text, phrase, pick(group, random))
}

function toggleContraction(text: string, random: Random): string {
  const choices = CONTRACTIONS.flatMap(([long, short]) => [
    { from: long, to: short },
    { from: short, to: long },
  ]).filter(({ from }) => findWords(text, from) >= 0)
  if (choices.length === 0) return text
  const { from, to } = pick(choices, random)
  return replaceWords(text, from, to)
}

/** Other numbers for those of one or two digits; longer ones, such as error codes, mean something. */
function changeNumbers(text: string, random: Random): string {
  return text.replace(/(?<![\p{L}\p{N}.^])\d{1,2}(?![\p{L}\p{N}.^])/gu, () =>
    String(Math.floor(random() * 100)),
  )
}

function dropWord(text: string, lightOnly: boolean, random: Random): string {
  const words = text.split(' ')
  const positions = [...words.keys()].filter((at) => !lightOnly || LIGHT_WORDS.has(words[at] as string))
  if (words.length < 4 || positions.length === 0) return text
  const dropped = pick(positions, random)
  return words.filter((_, at) => at !== dropped).join(' ')
}

function swapWords(text: string, random: Random): string {
  const words = text.split(' ')
  if (words.length < 3) return text
  const at = Math.floor(random() * (words.length - 1))
  const swapped = [words[at + 1] as string, words[at] as string]
  return [...words.slice(0, at), ...swapped, ...words.slice(at + 2)].join(' ')
}

/** A key beside `letter` on the keyboard. */
function neighbour(letter: string, random: Random): string {
  const row = KEYBOARD_ROWS.find((keys) => keys.includes(letter))
  if (!row) return letter
  const at = row.indexOf(letter)
  return row[at === 0 || (at + 1 < row.length && random() < 0.5) ? at + 1 : at - 1] as string
}

/** One slip of the finger inside a word: a letter left out, doubled, swapped with the next, or hit beside. */
function addTypo(text: string, random: Random): string {
  const inner = [...text.matchAll(/(?<=\p{L})\p{L}(?=\p{L})/gu)].map((match) => match.index)
  if (inner.length === 0) return text
  const at = pick(inner, random)
  const letter = text[at] as string
  const next = text[at + 1] as string
  const slips = ['', letter + letter, neighbour(letter, random)]
  const kind = Math.floor(random() * 4)
  if (kind === 3) return text.slice(0, at) + next + letter + text.slice(at + 2)
  return text.slice(0, at) + slips[kind] + text.slice(at + 1)
}

function changePunctuation(text: string, random: Random): string {
  let changed = text
  if (random() < RATES.dropApostrophes) changed = changed.replaceAll("'", '')
  if (random() < RATES.dropPunctuation) changed = changed.replace(/[.,;:!?]+(?=\s|$)/g, '')
  if (random() < RATES.questionMark)
    changed = changed.replace(/[.?!]*$/, pick(['?', '?', '?', '??', ' ?', '.', '!', '...'], random))
  return changed
}

function changeCase(text: string, random: Random): string {
  const draw = random()
  if (draw < 0.55) return text.toLowerCase()
  if (draw < 0.75) return text.charAt(0).toUpperCase() + text.slice(1)
  if (draw < 0.8) return text.toUpperCase()
  return text
}

function vary(question: string, random: Random): string {
  const happens = (rate: number): boolean => random() < rate
  if (happens(RATES.unchanged)) return question
  let text = question
  const keepsCase = happens(0.3)
  if (!keepsCase) text = text.toLowerCase()
  if (happens(RATES.contraction)) text = toggleContraction(text, random)
  if (happens(RATES.synonym)) {
    text = substituteSynonym(text, random)
    if (happens(RATES.secondSynonym)) text = substituteSynonym(text, random)
  }
  if (happens(RATES.otherNumbers)) text = changeNumbers(text, random)
  if (happens(RATES.dropLightWord)) text = dropWord(text, true, random)
  if (happens(RATES.dropAnyWord)) text = dropWord(text, false, random)
  if (happens(RATES.swapWords)) text = swapWords(text, random)
  if (happens(RATES.prefix)) text = pick(PREFIXES, random) + text
  if (happens(RATES.suffix)) text = text.replace(/[.?!]*$/, (end) => pick(SUFFIXES, random) + end)
  if (happens(RATES.typo)) {
    text = addTypo(text, random)
    if (happens(RATES.secondTypo)) text = addTypo(text, random)
  }
  return changeCase(changePunctuation(text, random), random)
}

const ATTEMPTS = 8

/**
 * A variation of `question`. It is never one of `forbidden` (the normalised dev and held-out questions): such a
 * draw is thrown away, and the question itself is given back when every attempt was.
 */
export function augmentQuestion(question: string, forbidden: ReadonlySet<string>, random: Random): string {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const text = vary(question, random).trim()
    const normalised = normaliseQuestion(text)
    if (normalised !== '' && !forbidden.has(normalised)) return text
  }
  return question
}

/**
 * A longer message that asks the same: now and then a second question of the same topic, or sentences beside it.
 * What it is put together from comes from {@link augmentQuestion}, so that no evaluated question is in it.
 */
export function lengthenQuestion(
  question: string,
  another: () => string,
  forbidden: ReadonlySet<string>,
  random: Random,
): string {
  let text = question
  if (random() < RATES.secondQuestion) text = text.replace(/[.?!]*$/, '') + pick(JOINTS, random) + another()
  if (random() < RATES.asideBefore) text = `${changeCase(pick(ASIDES, random), random)} ${text}`
  if (random() < RATES.asideAfter) text = `${text} ${changeCase(pick(ASIDES, random), random)}`
  return forbidden.has(normaliseQuestion(text)) ? question : text
}
