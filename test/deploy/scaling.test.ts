import { describe, expect, it } from 'vitest'
import { eventConsumer, eventStream } from '#contracts/subjects.ts'
import { example, examples, find, type KubernetesObject, ofKind, render } from './render.ts'
import { hasValidators } from './tools.ts'

const targets = (objects: KubernetesObject[], kind: string) => ofKind(objects, kind).map(({ spec }) => spec.scaleTargetRef.name)
const [hpa, scaledObject] = ['HorizontalPodAutoscaler', 'ScaledObject']

/** Fields that KEDA 2.17 reads of each trigger; others it ignores. */
const triggerFields: Record<string, string[]> = {
  prometheus:
    'serverAddress query threshold activationThreshold namespace customHeaders queryParameters ignoreNullValues unsafeSsl timeout authModes'.split(
      ' ',
    ),
  'nats-jetstream': 'natsServerMonitoringEndpoint account stream consumer lagThreshold activationLagThreshold useHttps'.split(' '),
}

describe.skipIf(!hasValidators)('scaling', () => {
  it.each(['default', ...examples])('has one master for each Deployment, and no count of replicas beside it, with %s', (name) => {
    const objects = example(name)
    const scaled = [...targets(objects, hpa), ...targets(objects, scaledObject)]
    expect(new Set(scaled).size).toBe(scaled.length)
    for (const { metadata, spec } of ofKind(objects, 'Deployment')) expect(spec.replicas === undefined).toBe(scaled.includes(metadata.name))
    for (const target of scaled) find(objects, 'Deployment', target)
  })

  it.each(['default', ...examples])('takes pods away slowly, one after the other, with %s', (name) => {
    const objects = example(name)
    const paces = [
      ...ofKind(objects, hpa).map(({ spec }) => spec.behavior),
      ...ofKind(objects, scaledObject).map(({ spec }) => spec.advanced.horizontalPodAutoscalerConfig.behavior),
    ]
    for (const { scaleDown } of paces)
      expect(scaleDown).toEqual({ stabilizationWindowSeconds: 300, policies: [{ type: 'Pods', value: 1, periodSeconds: 120 }] })
  })

  it('follows what workers have in flight, and the lag of telemetry, with KEDA', () => {
    const objects = example('keda.yaml')
    const triggers = ofKind(objects, scaledObject).map(({ metadata, spec }) => [metadata.name, spec.triggers[0]] as const)
    const queries = triggers.flatMap(([name, { metadata }]) => (metadata.query ? [[name, metadata.query]] : []))
    expect(queries).toEqual([
      ['fw-freeway-worker-gemini', 'sum(freeway_worker_inflight{provider="gemini",namespace="ai"})'],
      ['fw-freeway-worker-groq', 'sum(freeway_worker_inflight{provider="groq",namespace="ai"})'],
      ['fw-freeway-worker-pool', 'sum(freeway_worker_inflight{pod=~"fw-freeway-worker-pool-.*",namespace="ai"})'],
    ])
    expect(find(objects, scaledObject, 'fw-freeway-telemetry').spec.triggers).toEqual([
      {
        type: 'nats-jetstream',
        metadata: {
          natsServerMonitoringEndpoint: 'fw-freeway-nats-headless.ai.svc.cluster.local:8222',
          account: 'FW',
          stream: eventStream,
          consumer: eventConsumer,
          lagThreshold: '5000',
          activationLagThreshold: '0',
        },
      },
    ])
    for (const [, { type, metadata }] of triggers)
      expect(Object.keys(metadata).filter((field) => !triggerFields[type]?.includes(field))).toEqual([])
  })

  it('keeps the workers that run while Prometheus is silent', () => {
    for (const { metadata, spec } of ofKind(example('keda.yaml'), scaledObject)) {
      if (metadata.name.endsWith('-telemetry')) continue
      expect(spec.fallback).toEqual({ failureThreshold: 3, replicas: 2 })
      expect(spec.triggers[0].metadata.ignoreNullValues).toBe('false')
      expect(spec.minReplicaCount).toBeGreaterThanOrEqual(1)
    }
  })

  it('looks for the stream where a broker without users keeps it', () => {
    const objects = render({ keda: { enabled: true }, brokerUsers: { enabled: false } })
    expect(find(objects, scaledObject, 'fw-freeway-telemetry').spec.triggers[0].metadata.account).toBe('$G')
  })

  it('by a pod metric where an adapter serves it, else by CPU', () => {
    const metrics = (objects: KubernetesObject[], name: string) =>
      find(objects, hpa, name).spec.metrics.map((one: KubernetesObject) => one.pods?.metric.name ?? one.resource.name)
    expect(metrics(example('ha.yaml'), 'fw-freeway-worker-groq')).toEqual(['freeway_worker_inflight'])
    expect(metrics(example('prod.yaml'), 'fw-freeway-worker-groq')).toEqual(['cpu'])
    const inflight = render({ ingress: { autoscaling: { inflightPerReplica: 200 } } })
    expect(metrics(inflight, 'fw-freeway-ingress')).toEqual(['freeway_ingress_inflight', 'cpu'])
  })
})

describe.skipIf(!hasValidators)('the way in', () => {
  it('lets streams pass unbuffered and to their end', () => {
    const { metadata } = find(example('prod.yaml'), 'Ingress', 'fw-freeway-ingress')
    expect(metadata.annotations).toMatchObject({
      'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
      'nginx.ingress.kubernetes.io/proxy-read-timeout': '330',
      'nginx.ingress.kubernetes.io/proxy-next-upstream': 'off',
      'cert-manager.io/cluster-issuer': 'letsencrypt',
    })
    const [rule] = find(example('ha.yaml'), 'HTTPRoute', 'fw-freeway-ingress').spec.rules
    expect(rule.timeouts).toEqual({ request: '330s', backendRequest: '330s' })
  })
})
