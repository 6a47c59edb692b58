import activity from './activity.json' with { type: 'json' }
import chat from './chat.json' with { type: 'json' }
import common from './common.json' with { type: 'json' }
import firstRun from './first-run.json' with { type: 'json' }
import home from './home.json' with { type: 'json' }
import host from './host.json' with { type: 'json' }
import keys from './keys.json' with { type: 'json' }
import market from './market.json' with { type: 'json' }
import models from './models.json' with { type: 'json' }
import playground from './playground.json' with { type: 'json' }
import safety from './safety.json' with { type: 'json' }
import settings from './settings.json' with { type: 'json' }
import shell from './shell.json' with { type: 'json' }
import wallet from './wallet.json' with { type: 'json' }

/** The namespaces of English, and `host`: what the host says in English, by its codes. */
export const ja = {
  activity,
  chat,
  common,
  'first-run': firstRun,
  home,
  host,
  keys,
  market,
  models,
  playground,
  safety,
  settings,
  shell,
  wallet,
}
