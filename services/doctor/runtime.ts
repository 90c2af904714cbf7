// Pure. Whether what runs freeway is new enough.

import { type Finding, fault, ok } from './finding.ts'

const NODE_MAJOR = 26
const DENO = [2, 9]

export function checkRuntime({ node, deno }: { node?: string | undefined; deno?: string | undefined }): Finding[] {
  if (deno !== undefined) {
    const [major = 0, minor = 0] = deno.split('.').map(Number)
    const enough = major > (DENO[0] as number) || (major === DENO[0] && minor >= (DENO[1] as number))
    return [enough ? ok('runtime', `Deno ${deno}`) : fault('runtime', `Deno ${deno} is too old`, `install Deno ${DENO.join('.')} or newer`)]
  }
  if (Number.parseInt(node ?? '0', 10) >= NODE_MAJOR) return [ok('runtime', `Node ${node}`)]
  return [fault('runtime', `Node ${node} is too old`, `start with "npm start", which brings its own, or install Node ${NODE_MAJOR}`)]
}
