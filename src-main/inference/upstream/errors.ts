import { TiramiError } from '../../kernel/index.ts'

/** The owner's choice cannot be used as it is. */
export function addressRefused(why: string): TiramiError {
  return new TiramiError(
    'UPSTREAM_ADDRESS_REFUSED',
    `The address of the upstream server is refused: ${why}.`,
    {
      nextStep: 'Give an https address, or plain http to this machine or your own network.',
      httpStatus: 400,
    },
  )
}

export function upstreamUnreachable(what: string, cause?: unknown): TiramiError {
  return new TiramiError('UPSTREAM_UNREACHABLE', `The server behind this host ${what}.`, {
    nextStep: 'Start it, or check the network; this host tries again by itself.',
    httpStatus: 502,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** It answered, but not as the API that it claims to speak; nothing is charged. */
export function upstreamInvalid(what: string): TiramiError {
  return new TiramiError('UPSTREAM_INVALID', `The server behind this host ${what}.`, {
    nextStep: 'Try again; if it happens again, the owner has to look at that server.',
    httpStatus: 502,
  })
}

export function upstreamUnauthorised(): TiramiError {
  return new TiramiError('UPSTREAM_UNAUTHORISED', 'The server behind this host refuses its key.', {
    nextStep: 'Put the right key into the key file, then start serving again.',
    httpStatus: 502,
  })
}

/** @param listed what it has instead */
export function upstreamModelMissing(model: string, listed: readonly string[]): TiramiError {
  const shown = listed.slice(0, 5).map((id) => `“${clean(id).slice(0, 60)}”`)
  const instead = shown.length === 0 ? 'it lists none' : `it lists ${shown.join(', ')}`
  return new TiramiError(
    'UPSTREAM_MODEL_MISSING',
    `The server behind this host does not list the model “${model.slice(0, 80)}”; ${instead}.`,
    { nextStep: 'Load the model there, or choose one that it lists.', httpStatus: 502 },
  )
}

/** The request is the caller's to change. */
export function upstreamRefused(reason: string): TiramiError {
  const said = clean(reason).slice(0, MAX_REASON_CHARACTERS)
  return new TiramiError(
    'UPSTREAM_REFUSED',
    `The server behind this host refused the request${said === '' ? '' : `: ${said}`}.`,
    { nextStep: 'Change the request; docs/models.md says what such servers leave out.', httpStatus: 400 },
  )
}

export function upstreamUnsupported(what: string): TiramiError {
  return new TiramiError('UPSTREAM_UNSUPPORTED', `The server behind this host ${what}.`, {
    nextStep: 'Leave that part of the request out.',
    httpStatus: 400,
  })
}

export function promptTooLong(): TiramiError {
  return new TiramiError('PROMPT_TOO_LONG', 'The prompt does not fit the context of the model.', {
    nextStep: 'Shorten the conversation.',
    httpStatus: 400,
  })
}

const MAX_REASON_CHARACTERS = 200

/** Text of another server for a person: one line, without control characters, a closing stop or spaces around. */
function clean(text: string): string {
  return text
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim()
    .replace(/\.$/, '')
}
