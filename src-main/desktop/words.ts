import hostJapanese from '../../src-renderer/i18n/ja/host.json' with { type: 'json' }

/** Every word of the shell outside the window: tray, notifications, questions. */
const ENGLISH = {
  'state.starting': 'Starting…',
  'state.serving': 'Earning',
  'state.resting': 'Resting',
  'state.paused': 'Paused',
  'state.draining': 'Finishing answers',
  'state.engine-down': 'Not earning: engine down',
  'state.host-down': 'Not earning: host down',
  'state.stopped': 'Stopped',
  'state.safe-mode': 'Safe mode',
  'tray.jobs-one': '1 answer is being written',
  'tray.jobs-many': '{count} answers are being written',
  'tray.earned-today': 'Today from others: {amount} TRM',
  'tray.snoozed-until': 'Snoozed until {time}',
  'tray.open': 'Open Tirami Host',
  'tray.pause': 'Pause',
  'tray.resume': 'Resume',
  'tray.wake': 'Resume now',
  'tray.snooze': 'Snooze',
  'tray.snooze-hour': 'For 1 hour',
  'tray.snooze-hours': 'For 4 hours',
  'tray.snooze-morning': 'Until morning',
  'tray.finish': 'Finish answers, then pause',
  'tray.mode': 'Earn',
  'tray.mode-now': 'Always',
  'tray.mode-idle': 'When the computer is idle',
  'tray.mode-schedule': 'In the hours that I chose',
  'tray.install': 'Restart to update to {version}',
  'tray.leave-safe-mode': 'Leave safe mode',
  'tray.quit': 'Quit',
  'notice.earning-title': 'First earning of the night',
  'notice.earning-text': '{amount} TRM for an answer by {model}. TRM counts compute; it is not money.',
  'notice.sentinel-title': 'Selling has stopped',
  'notice.update-title': 'Update ready',
  'notice.update-text': 'Version {version} is installed when you quit, or now from the tray.',
  'notice.tray-title': 'Tirami Host goes on',
  'notice.tray-text': 'Closing the window does not quit. You find it in the tray, with Pause and Quit.',
} as const
export type WordCode = keyof typeof ENGLISH

const JAPANESE: Record<WordCode, string> = {
  'state.starting': '起動しています…',
  'state.serving': '稼働中',
  'state.resting': '休止中',
  'state.paused': '一時停止中',
  'state.draining': '回答を終えています',
  'state.engine-down': '停止：エンジンが動いていません',
  'state.host-down': '停止：ホストが動いていません',
  'state.stopped': '停止しました',
  'state.safe-mode': 'セーフモード',
  'tray.jobs-one': '1件の回答を作成中',
  'tray.jobs-many': '{count}件の回答を作成中',
  'tray.earned-today': '今日の受け取り：{amount} TRM',
  'tray.snoozed-until': '{time}まで休止',
  'tray.open': 'Tirami Hostを開く',
  'tray.pause': '一時停止',
  'tray.resume': '再開',
  'tray.wake': '今すぐ再開',
  'tray.snooze': 'しばらく休止',
  'tray.snooze-hour': '1時間',
  'tray.snooze-hours': '4時間',
  'tray.snooze-morning': '朝まで',
  'tray.finish': '回答を終えてから一時停止',
  'tray.mode': '稼働する時間',
  'tray.mode-now': '常に',
  'tray.mode-idle': 'パソコンを使っていないとき',
  'tray.mode-schedule': '選んだ時間帯',
  'tray.install': '再起動して{version}に更新',
  'tray.leave-safe-mode': 'セーフモードを終了',
  'tray.quit': '終了',
  'notice.earning-title': '今夜最初の受け取り',
  'notice.earning-text': '{model}の回答で{amount} TRM。TRMは計算量の単位で、お金ではありません。',
  'notice.sentinel-title': '提供を止めました',
  'notice.update-title': '更新の準備ができました',
  'notice.update-text': 'バージョン{version}は終了時に、またはトレイから今すぐインストールできます。',
  'notice.tray-title': 'Tirami Hostは動き続けます',
  'notice.tray-text': 'ウィンドウを閉じても終了しません。一時停止と終了はトレイにあります。',
}

export interface Words {
  (code: WordCode, parameters?: Parameters): string
  /**
   * A sentence of the host in the owner's language, by its code, such as `earning.on-battery`; as the host said it where
   * that language has none.
   */
  host(code: string, sentence: string, parameters?: Parameters): string
}
type Parameters = Readonly<Record<string, string | number>>

interface Texts {
  [name: string]: string | Texts
}

/** @param languages those that the owner prefers, most preferred first, such as `ja-JP` */
export function wordsIn(languages: readonly string[]): Words {
  const known = languages
    .map((language) => language.split('-')[0])
    .find((name) => name === 'ja' || name === 'en')
  const table: Record<WordCode, string> = known === 'ja' ? JAPANESE : ENGLISH
  const words = (code: WordCode, parameters: Parameters = {}) =>
    table[code].replace(/\{(\w+)\}/g, (_, name: string) => String(parameters[name] ?? ''))
  const host: Words['host'] = (code, sentence, parameters = {}) => {
    const text = known === 'ja' ? textAt(hostJapanese, code.split('.')) : null
    // A place that stays empty would say something else.
    const isWhole = text !== null && placesOf(text).every((name) => name in parameters)
    return isWhole ? text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => String(parameters[name])) : sentence
  }
  return Object.assign(words, { host })
}

const placesOf = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name = '']) => name)

function textAt(texts: Texts, [name = '', ...rest]: string[]): string | null {
  const found = Object.hasOwn(texts, name) ? texts[name] : undefined
  if (found === undefined) return null
  if (typeof found === 'string') return rest.length === 0 ? found : null
  return textAt(found, rest)
}
