import './widgets/widgets.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App, prefetchPages } from './app/App.tsx'
import { createClient } from './client/index.ts'
import { connectStores, createStores } from './stores/index.ts'
import { createLanguageStore } from './stores/language.ts'
import { createThemeStore } from './stores/theme.ts'
import './styles/tokens.css'
import './styles/base.css'
import './styles/shapes.css'

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')

const client = createClient()
const stores = createStores(client)
connectStores(client, stores)
const theme = createThemeStore()

createLanguageStore().then((language) => {
  createRoot(root).render(
    <StrictMode>
      <App stores={stores} look={{ theme, language }} />
    </StrictMode>,
  )
  prefetchPages()
})
