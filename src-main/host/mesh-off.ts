import { TiramiError } from '../kernel/index.ts'

/** What asks for another host has none to ask. */
export const meshOff = (): TiramiError =>
  new TiramiError('MESH_OFF', 'This host has not joined the mesh.', {
    nextStep: 'Join it in the settings, or start the host with --mesh-port.',
    httpStatus: 503,
  })
