/** The house rules of ARCHITECTURE.md, checked by `npm run doctor`. */
const rooms = {
  kernel: [],
  tensor: ['kernel'],
  recursion: ['kernel', 'tensor'],
  ledger: ['kernel'],
  economy: ['kernel'],
  models: ['kernel'],
  inference: ['kernel'],
  hardware: ['kernel'],
  earning: ['kernel'],
  telemetry: ['kernel'],
  backup: ['kernel', 'ledger'],
  mesh: ['kernel'],
  // Trades between hosts are the ledger's: their bytes, their tree.
  market: ['kernel', 'ledger', 'mesh'],
  host: [
    'kernel',
    'ledger',
    'economy',
    'models',
    'inference',
    'hardware',
    'earning',
    'telemetry',
    'backup',
    'mesh',
    'market',
    'gateway-door',
  ],
}

const domainRooms = Object.keys(rooms).filter((room) => room !== 'host')

module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'rooms-have-doors',
      comment: 'A room is entered through its index.ts; only its own files reach its insides.',
      severity: 'error',
      from: { path: '^src-main/([^/]+)/', pathNot: '\\.test\\.ts$|/testing/' },
      to: { path: '^src-main/([^/]+)/(?!index\\.ts$)', pathNot: '^src-main/$1/' },
    },
    ...domainRooms.map((room) => ({
      name: `${room}-imports-down`,
      severity: 'error',
      from: { path: `^src-main/${room}/`, pathNot: '\\.test\\.ts$|/testing/' },
      to: {
        path: '^src-main/',
        pathNot: [`^src-main/${room}/`, ...rooms[room].map((lower) => `^src-main/${lower}/index\\.ts$`)],
      },
    })),
    {
      name: 'host-knows-no-edge',
      severity: 'error',
      from: { path: '^src-main/host/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src-main/(gateway|desktop)/' },
    },
    {
      name: 'gateway-knows-no-desktop',
      severity: 'error',
      from: { path: '^src-main/gateway/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src-main/desktop/' },
    },
    {
      name: 'electron-only-in-desktop',
      severity: 'error',
      from: { pathNot: '^src-main/(desktop/|main\\.ts)|^src-preload/index\\.ts$|^e2e/electron/|^build/' },
      to: { path: '(^|/)node_modules/electron/|^electron$' },
    },
    {
      name: 'llama-only-in-engine',
      severity: 'error',
      from: { pathNot: '^src-main/inference/engine/|^training/|^bench/' },
      to: { path: '(^|/)node_modules/node-llama-cpp/|^node-llama-cpp$' },
    },
    {
      name: 'window-sees-only-the-contract',
      severity: 'error',
      from: { path: '^src-renderer/', pathNot: '\\.test\\.tsx?$|/testing/' },
      to: { path: '^(src-main|src-preload)/', pathNot: '^src-preload/contract/' },
    },
    {
      name: 'contract-stands-alone',
      severity: 'error',
      from: { path: '^src-preload/contract/' },
      to: { path: '^src-', pathNot: '^src-preload/contract/' },
    },
    {
      name: 'shipped-code-imports-no-test-code',
      severity: 'error',
      from: { path: '^src-', pathNot: '\\.test\\.tsx?$|/testing/' },
      to: { path: '\\.test\\.tsx?$|/testing/|^(e2e|bench|training|simulation)/' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: {
        couldNotResolve: true,
        pathNot: ['^electron$', '^csv-parse/sync$', '^vite(/client)?$', '^@vitejs/plugin-react$'],
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(out|dist)/|/assembly/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
