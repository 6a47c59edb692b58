export { openApi } from './api.ts'
export { openDashboard } from './control/dashboard.ts'
