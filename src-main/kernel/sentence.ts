/** What a sentence mentions, as plain values: a reader says the same in another language by its code. */
export type SentenceParams = Readonly<Record<string, string | number>>

/** Puts what a sentence mentions into its places, such as `{limit}`. */
export function fillSentence(template: string, params: SentenceParams): string {
  return template.replaceAll(/\{(\w+)\}/g, (_place, name: string) => String(params[name] ?? '?'))
}
