export * from './page-policy.ts'
export * from './schemas.ts'
