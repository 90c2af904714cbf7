import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { find, type KubernetesObject, ofKind, parseObjects, podsOf } from './render.ts'
import { hasValidators, kubectl, kustomize, run } from './tools.ts'

const build = (overlay: string): KubernetesObject[] => parseObjects(kubectl('kustomize', join(kustomize, overlay)))

it.skipIf(!hasValidators)('the kustomize files are what the chart renders today (npm run render in deploy/validators)', () => {
  const dir = mkdtempSync(join(tmpdir(), 'freeway-render-'))
  try {
    run(join(kustomize, 'render.sh'), [dir])
    for (const file of ['base/freeway.yaml', 'overlays/dev/simulator.yaml', 'overlays/prod/ingress.yaml']) {
      const fresh = readFileSync(join(dir, file), 'utf8')
      expect(fresh.length).toBeGreaterThan(500)
      expect(readFileSync(join(kustomize, file), 'utf8')).toBe(fresh)
    }
  } finally {
    rmSync(dir, { recursive: true })
  }
})

it.skipIf(!hasValidators)('dev runs one pod of each part, with the demo, and needs no operator', () => {
  const objects = build('overlays/dev')
  expect(new Set(objects.map(({ apiVersion }) => apiVersion))).toEqual(
    new Set(['v1', 'apps/v1', 'batch/v1', 'policy/v1', 'networking.k8s.io/v1']),
  )
  for (const { spec } of ofKind(objects, 'Deployment')) expect(spec.replicas ?? 1).toBe(1)
  const env = Object.fromEntries(
    podsOf([find(objects, 'Deployment', 'freeway-router')])[0]?.spec.containers[0]?.env?.map(({ name, value }) => [name, value]) ?? [],
  )
  expect(env).toMatchObject({ FREEWAY_DEMO: 'on', FREEWAY_DEMO_URL: 'http://freeway-simulator:9001/v1', FREEWAY_WORKER_KEYS: '' })
  find(objects, 'Deployment', 'freeway-simulator')
  // It waits for no server of the broker that is not there, and wants no copies that nobody could hold.
  const [setup] = podsOf(ofKind(objects, 'Job'))
  expect(setup?.spec.initContainers ?? []).toEqual([])
  expect(setup?.spec.containers.map(({ args }) => args)).toEqual([['nats-setup']])
  const names = objects.map(({ metadata }) => metadata.name)
  expect(names.filter((name) => /groq|gemini/.test(name))).toEqual([])
})

it.skipIf(!hasValidators)('prod runs three of what serves, from the registry of its operator', () => {
  const objects = build('overlays/prod')
  for (const name of ['freeway-ingress', 'freeway-router'])
    expect(find(objects, 'HorizontalPodAutoscaler', name).spec).toMatchObject({ minReplicas: 3, maxReplicas: 30 })
  const images = podsOf(objects).map(({ spec }) => spec.containers[0]?.image)
  expect(images.filter((image) => image?.includes('freeway'))).toEqual(Array(7).fill('registry.example.org/freeway:0.1.0'))
  expect(objects.every(({ metadata }) => metadata.namespace === 'freeway')).toBe(true)
})
