import { describe, expect, it } from 'vitest'
import { example, examples, find, type KubernetesObject, parseObjects } from './render.ts'
import { faultsOf } from './schemas.ts'
import { hasValidators, kubectl, kustomize } from './tools.ts'

describe.skipIf(!hasValidators)('every object is one that Kubernetes or its operator takes', () => {
  it.each(['default', ...examples])('of the chart with %s', async (name) => {
    const objects = example(name)
    expect(objects.length).toBeGreaterThan(20)
    expect(await faultsOf(objects)).toEqual([])
  })

  it.each(['base', 'overlays/dev', 'overlays/prod'])('of %s', async (folder) => {
    expect(await faultsOf(parseObjects(kubectl('kustomize', `${kustomize}/${folder}`)))).toEqual([])
  })

  it.each<[string, string, string, (object: KubernetesObject) => void]>([
    ['a field that a core kind does not have', 'Deployment', 'fw-freeway-router', ({ spec }) => Object.assign(spec, { replica: 3 })],
    [
      'one deep inside',
      'Deployment',
      'fw-freeway-router',
      ({ spec }) => Object.assign(spec.template.spec.containers[0].readinessProbe, { timeout: 3 }),
    ],
    ['a number for a text', 'Deployment', 'fw-freeway-router', ({ metadata }) => Object.assign(metadata.labels as object, { a: 1e3 })],
    ['a field that KEDA does not have', 'ScaledObject', 'fw-freeway-telemetry', ({ spec }) => Object.assign(spec, { minReplicas: 1 })],
    [
      'a trigger whose threshold is no text',
      'ScaledObject',
      'fw-freeway-telemetry',
      ({ spec }) => (spec.triggers[0].metadata.lagThreshold = 5),
    ],
    ['one of a rule', 'PrometheusRule', 'fw-freeway', ({ spec }) => Object.assign(spec.groups[0].rules[0], { severity: 'x' })],
    ['a duration that is none', 'PrometheusRule', 'fw-freeway', ({ spec }) => Object.assign(spec.groups[0].rules[0], { for: 'soon' })],
    ['one of a monitor', 'ServiceMonitor', 'fw-freeway', ({ spec }) => Object.assign(spec.endpoints[0], { portname: 'x' })],
  ])('refuses %s', async (_, kind, name, spoil) => {
    const object = structuredClone(find(example('keda.yaml'), kind, name))
    spoil(object)
    expect(await faultsOf([object])).not.toEqual([])
  })
})
