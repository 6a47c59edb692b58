/** Variables that would load foreign code, or foreign trust, into a Node process. */
const UNSAFE = new Set(['ELECTRON_RUN_AS_NODE', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS', 'NODE_PATH'])

/** The environment for the host and the engine. */
export function childEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !UNSAFE.has(name.toUpperCase())) result[name] = value
  }
  return result
}
