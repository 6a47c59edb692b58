/** What a window of the same library costs that shows one line: the reference of `bench:window`. */
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')
createRoot(root).render(
  <StrictMode>
    <main>
      <h1>An empty page</h1>
    </main>
  </StrictMode>,
)
