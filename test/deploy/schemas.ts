// Whether objects are what Kubernetes and the operators take. Their schemas are types: the compiler refuses unknown fields, wrong types and
// missing ones, for the kinds of Kubernetes as for those of others. Patterns and formats are then checked by the schemas' own validators.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { root } from '#test/support/sources.ts'
import type { KubernetesObject } from './render.ts'
import { run, validators } from './tools.ts'

const packages: Record<string, string> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'cert-manager.io': '@kubernetes-models/cert-manager',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
}

const moduleOf = ({ apiVersion, kind }: KubernetesObject) => {
  const [group = ''] = apiVersion.split('/')
  return `${packages[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`
}

/** Faults in words, empty if there are none. All objects at once, because the compiler takes longest to start. */
export async function faultsOf(objects: readonly KubernetesObject[]): Promise<string[]> {
  return [...typeFaults(objects), ...(await valueFaults(objects))]
}

function typeFaults(objects: readonly KubernetesObject[]): string[] {
  // Beside the packages, so that the compiler finds them.
  const dir = mkdtempSync(join(validators, 'node_modules/.objects-'))
  try {
    const lines = objects.map((one, i) => `export const o${i}: import('${moduleOf(one)}').I${one.kind} = ${JSON.stringify(one)}`)
    writeFileSync(join(dir, 'objects.ts'), lines.join('\n'))
    const options = { module: 'nodenext', strict: true, noEmit: true, skipLibCheck: true, types: [] }
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['objects.ts'] }))
    run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', dir, '--pretty', 'false'])
    return []
  } catch (error) {
    const faults = (error as Error).message.split('\n').filter((line) => line.includes('error TS'))
    if (faults.length === 0) throw error
    return faults.map((fault) => {
      const one = objects[Number(/objects\.ts\((\d+)/.exec(fault)?.[1]) - 1]
      return `${one?.kind} ${one?.metadata.name}: ${fault.replace(/^.*error /, '')}`
    })
  } finally {
    rmSync(dir, { recursive: true })
  }
}

async function valueFaults(objects: readonly KubernetesObject[]): Promise<string[]> {
  const faults: string[] = []
  for (const one of objects) {
    const path = pathToFileURL(join(validators, 'node_modules', `${moduleOf(one)}.js`)).href
    const Model = ((await import(/* @vite-ignore */ path)) as Record<string, new (data: object) => { validate(): void }>)[one.kind]
    if (!Model) throw new Error(`${moduleOf(one)} holds no ${one.kind}`)
    try {
      new Model(one).validate()
    } catch (error) {
      faults.push(`${one.kind} ${one.metadata.name}: ${(error as Error).message}`)
    }
  }
  return faults
}
