// The chart as it would be applied: its objects, and how to find among them.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chart, hasValidators, helm, validators } from './tools.ts'

export interface Container {
  name: string
  image: string
  command?: string[]
  args?: string[]
  env?: { name: string; value?: string; valueFrom?: Record<string, { name?: string; key?: string }> }[]
  envFrom?: { secretRef: { name: string } }[]
  ports?: { name: string; containerPort: number }[]
  securityContext?: Record<string, unknown>
  lifecycle?: { preStop?: { sleep?: { seconds: number } } }
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
  [probe: string]: unknown
}

export interface PodSpec {
  containers: Container[]
  initContainers?: Container[]
  volumes?: { name: string; secret?: { secretName: string; items: { key: string }[] } }[]
  securityContext?: Record<string, unknown>
  automountServiceAccountToken?: boolean
  terminationGracePeriodSeconds?: number
  topologySpreadConstraints?: { topologyKey: string }[]
}

export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own; the schemas are checked elsewhere
  spec?: any
  // biome-ignore lint/suspicious/noExplicitAny: as above
  [field: string]: any
}

const yaml: { parseAllDocuments(text: string): { toJS(): unknown; errors: Error[] }[] } = hasValidators
  ? await import(pathToFileURL(join(validators, 'node_modules/yaml/dist/index.js')).href)
  : { parseAllDocuments: () => [] }

/** Throws on what is no YAML, also on a key that is there twice. */
export function parseObjects(text: string): KubernetesObject[] {
  const documents = yaml.parseAllDocuments(text)
  for (const { errors } of documents) if (errors[0]) throw errors[0]
  return documents.map((document) => document.toJS() as KubernetesObject).filter(Boolean)
}

export const examples = readdirSync(join(chart, 'values-examples'))

const rendered = new Map<string, KubernetesObject[]>()

/** By the name of an example, `default` for the defaults; once for each. */
export function example(name: string): KubernetesObject[] {
  const file = name === 'default' ? [] : ['-f', join(chart, 'values-examples', name)]
  const objects = rendered.get(name) ?? parseObjects(helm('template', 'fw', chart, '--namespace', 'ai', ...file))
  rendered.set(name, objects)
  return objects
}

/** Throws with helm's words if the values are refused. */
export function render(values: object, release = 'fw', ...options: string[]): KubernetesObject[] {
  const dir = mkdtempSync(join(tmpdir(), 'freeway-chart-'))
  try {
    const file = join(dir, 'values.json')
    writeFileSync(file, JSON.stringify(values))
    return parseObjects(helm('template', release, chart, '--namespace', 'ai', '-f', file, ...options))
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** Every pod that an object makes, by the name of the object. */
export function podsOf(objects: readonly KubernetesObject[]): { owner: KubernetesObject; labels: Record<string, string>; spec: PodSpec }[] {
  return objects.flatMap((owner) => {
    if (owner.kind === 'Pod') return [{ owner, labels: owner.metadata.labels ?? {}, spec: owner.spec }]
    const template = owner.spec?.template
    return template?.spec?.containers ? [{ owner, labels: template.metadata.labels, spec: template.spec }] : []
  })
}

export const ofKind = (objects: readonly KubernetesObject[], kind: string) => objects.filter((one) => one.kind === kind)

/** Throws if there is none. */
export function find(objects: readonly KubernetesObject[], kind: string, name: string): KubernetesObject {
  const found = objects.find((one) => one.kind === kind && one.metadata.name === name)
  if (!found) throw new Error(`no ${kind} ${name} among ${objects.map((one) => `${one.kind} ${one.metadata.name}`).join(', ')}`)
  return found
}

/** Of a container: the value, or the Secret it comes from as `secret/key`. */
export function variable(container: Container | undefined, name: string): string | undefined {
  const found = container?.env?.find((one) => one.name === name)
  const from = found?.valueFrom?.secretKeyRef
  return from ? `${from.name}/${from.key}` : found?.value
}
