// What the tests of the Kubernetes files are checked with: helm, kubectl and schemas from deploy/validators.
// Without them the tests are skipped, and say so.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { root } from '#test/support/sources.ts'

export const chart = join(root, 'deploy/helm/freeway')
export const kustomize = join(root, 'deploy/k8s')
export const validators = join(root, 'deploy/validators')

const bin = (name: string) => join(validators, 'bin', name)
export const hasValidators = existsSync(bin('helm')) && existsSync(join(validators, 'node_modules/yaml'))

if (!hasValidators)
  process.stderr.write('\nNO helm FOUND: checks of the Kubernetes files are SKIPPED (npm run setup --prefix deploy/validators)\n\n')

/** What it prints. Throws with what it says on stderr. */
export function helm(...args: string[]): string {
  return run(bin('helm'), args)
}

export function kubectl(...args: string[]): string {
  return run(bin('kubectl'), args)
}

export function run(command: string, args: string[], env: Record<string, string> = {}): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 64 * 2 ** 20,
      env: { ...process.env, ...env },
    })
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string }
    throw new Error(`${stderr}${stdout}` || message)
  }
}
