import {
  type CallResult,
  type ProcedureInput,
  type ProcedureName,
  type ProcedureOutput,
  procedures,
} from '../../src-preload/contract/index.ts'

export interface WindowCalls {
  /** What the contract has for the window, over HTTP as the dashboard asks it. @throws Error with the code of a refusal */
  call<Name extends ProcedureName>(name: Name, input: ProcedureInput<Name>): Promise<ProcedureOutput<Name>>
}

/** The host as its window sees it, without a browser. */
export async function openWindow({ ready }: { ready: { dashboard: string } }): Promise<WindowCalls> {
  const { origin } = new URL(ready.dashboard)
  const entered = await fetch(ready.dashboard, { redirect: 'manual' })
  const cookie = entered.headers.get('set-cookie')?.split(';')[0] ?? ''
  return {
    call: async (name, input) => {
      const response = await fetch(`${origin}/rpc/${name}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', cookie, origin },
        body: JSON.stringify(input),
      })
      const answer = (await response.json()) as CallResult<typeof name>
      if (!answer.ok) throw Object.assign(new Error(answer.error.message), { code: answer.error.code })
      return procedures[name].output.parse(answer.result) as ProcedureOutput<typeof name>
    },
  }
}
