import activity from './activity.json' with { type: 'json' }
import chat from './chat.json' with { type: 'json' }
import common from './common.json' with { type: 'json' }
import firstRun from './first-run.json' with { type: 'json' }
import home from './home.json' with { type: 'json' }
import keys from './keys.json' with { type: 'json' }
import market from './market.json' with { type: 'json' }
import models from './models.json' with { type: 'json' }
import playground from './playground.json' with { type: 'json' }
import safety from './safety.json' with { type: 'json' }
import settings from './settings.json' with { type: 'json' }
import shell from './shell.json' with { type: 'json' }
import wallet from './wallet.json' with { type: 'json' }

/** One namespace per page; `common` is what pages share. The keys are the contract of every language. */
export const en = {
  activity,
  chat,
  common,
  'first-run': firstRun,
  home,
  keys,
  market,
  models,
  playground,
  safety,
  settings,
  shell,
  wallet,
}
