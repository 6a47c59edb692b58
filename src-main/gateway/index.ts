export { openApi } from './api.ts'
export { CONTENT_SECURITY_POLICY, type Dashboard, openDashboard } from './control/dashboard.ts'
