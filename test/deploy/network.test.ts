import { BlockList } from 'node:net'
import { describe, expect, it } from 'vitest'
import { example, examples, type KubernetesObject, ofKind, podsOf } from './render.ts'
import { hasValidators } from './tools.ts'

interface Selector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; values: string[] }[]
}
interface Peer {
  podSelector?: Selector
  namespaceSelector?: Selector
  ipBlock?: { cidr: string; except: string[] }
}
type Rule = { from?: Peer[]; to?: Peer[]; ports: { port: number }[] }

const matches = ({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Record<string, string>) =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ''))

/** All ways that the policies leave open between pods of the installation, as `from → to:port`. Both sides have to allow one. */
function waysInside(objects: KubernetesObject[]): string[] {
  const pods = podsOf(objects).filter(({ labels }) => labels['app.kubernetes.io/name'] === 'freeway')
  const policies = ofKind(objects, 'NetworkPolicy')
  const nameOf = ({ labels }: { labels: Record<string, string> }) =>
    [labels['app.kubernetes.io/component'], labels['freeway.ai/worker']].filter(Boolean).join('-')
  const allows = (side: 'ingress' | 'egress', own: Record<string, string>, other: Record<string, string>) =>
    policies
      .filter(({ spec }) => matches(spec.podSelector, own))
      .flatMap(({ spec }) => (spec[side] ?? []) as Rule[])
      .filter((rule) => {
        const peers = side === 'ingress' ? rule.from : rule.to
        return (
          !peers || peers.some(({ podSelector, namespaceSelector }) => podSelector && !namespaceSelector && matches(podSelector, other))
        )
      })
      .flatMap(({ ports }) => ports.map(({ port }) => port))
  return pods
    .flatMap((from) =>
      pods.flatMap((to) => {
        const open = new Set(allows('ingress', to.labels, from.labels))
        return allows('egress', from.labels, to.labels)
          .filter((port) => open.has(port))
          .map((port) => `${nameOf(from)} → ${nameOf(to)}:${port}`)
      }),
    )
    .sort()
}

describe.skipIf(!hasValidators)('network policies', () => {
  it('leave open the ways that are needed and no other', () => {
    expect(waysInside(example('prod.yaml'))).toEqual([
      'ingress → nats:4222',
      'nats → nats:6222',
      'router → nats:4222',
      'setup → nats:4222',
      'setup → nats:8222',
      'telemetry → mongodb:27017',
      'telemetry → nats:4222',
      'test → ingress:3001',
      'worker-gemini → nats:4222',
      'worker-groq → nats:4222',
      'worker-pool → nats:4222',
    ])
    expect(waysInside(example('dev.yaml')).filter((way) => way.includes('simulator'))).toEqual(['worker-pool → simulator:9001'])
  })

  it.each(['default', ...examples])('begin with nothing for every pod, with %s', (name) => {
    const objects = example(name)
    for (const { labels, owner } of podsOf(objects)) {
      const own = ofKind(objects, 'NetworkPolicy').filter(({ spec }) => matches(spec.podSelector, labels))
      // The one that makes the broker's users talks to the cluster, whose address no policy can name.
      if (owner.metadata.name.endsWith('-broker-users')) expect(own).toEqual([])
      else expect(new Set(own.flatMap(({ spec }) => spec.policyTypes))).toEqual(new Set(['Ingress', 'Egress']))
    }
  })

  it('let workers, and nobody else, reach the internet: at 443, and nothing private', () => {
    const outside = ofKind(example('prod.yaml'), 'NetworkPolicy').flatMap(({ metadata, spec }) =>
      ((spec.egress ?? []) as Rule[]).filter(({ to }) => !to || to.some(({ ipBlock }) => ipBlock)).map((rule) => ({ metadata, rule })),
    )
    expect(outside.map(({ metadata }) => metadata.name)).toEqual(['fw-freeway-worker'])
    const [{ rule }] = outside as [(typeof outside)[number]]
    expect(rule.ports).toEqual([{ port: 443, protocol: 'TCP' }])
    const denied = new BlockList()
    for (const { ipBlock } of rule.to ?? [])
      for (const range of ipBlock?.except ?? []) {
        const [address = '', bits] = range.split('/')
        denied.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4')
      }
    const isDenied = (address: string) => denied.check(address, address.includes(':') ? 'ipv6' : 'ipv4')
    const secret = [
      '10.96.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
      '100.100.100.200',
      '127.0.0.1',
      '::1',
      'fd00:ec2::254',
      'fe80::1',
    ]
    expect(secret.filter((address) => !isDenied(address))).toEqual([])
    expect(['1.1.1.1', '104.18.0.1', '172.64.0.1', '2606:4700::1111'].filter(isDenied)).toEqual([])
  })

  it('let KEDA alone to the monitor of the broker, and Prometheus to the measurements', () => {
    const rules = ofKind(example('keda.yaml'), 'NetworkPolicy').flatMap(({ spec }) => (spec.ingress ?? []) as Rule[])
    const from = (port: number) => rules.filter(({ ports }) => ports.some((one) => one.port === port)).flatMap((rule) => rule.from)
    const namespace = (name: string) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } })
    expect(from(8222)).toEqual([namespace('keda')])
    expect(from(9464)).toEqual([namespace('monitoring')])
  })

  it('follow brokers and databases of others to their ports', () => {
    const egress = (policy: string) =>
      ofKind(example('external-nats.yaml'), 'NetworkPolicy').find(({ metadata }) => metadata.name === policy)?.spec.egress
    expect(egress('fw-freeway-broker-clients')).toEqual([
      { ports: [{ port: 4222, protocol: 'TCP' }], to: [{ ipBlock: { cidr: '203.0.113.0/28' } }] },
    ])
    expect(egress('fw-freeway-telemetry')).toEqual([{ ports: [{ port: 27017, protocol: 'TCP' }] }])
  })
})
