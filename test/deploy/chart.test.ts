import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadSettings } from '#services/settings.ts'
import type { Container, KubernetesObject } from './render.ts'
import { example, examples, find, ofKind, podsOf, render, variable } from './render.ts'
import { chart, hasValidators, helm } from './tools.ts'

const all = ['default', ...examples]
const sealed = {
  secrets: { existingSecret: 's' },
  brokerUsers: { existingSecret: 'b' },
  mongodb: { existingSecret: 'm' },
  nats: { tls: { existingSecret: 't' } },
}
const discord = { applicationId: '8'.repeat(18), publicKey: 'ab'.repeat(32), guildId: '9'.repeat(18) }
const container = (objects: KubernetesObject[], name: string): Container =>
  find(objects, 'Deployment', name).spec.template.spec.containers[0]
const freewayPods = (objects: KubernetesObject[]) => podsOf(objects).filter(({ spec }) => spec.containers[0]?.image.includes('freeway'))
const services = (objects: KubernetesObject[]) =>
  freewayPods(objects).filter(({ owner: { kind, metadata } }) => kind === 'Deployment' && !metadata.name.endsWith('simulator'))

describe.skipIf(!hasValidators)('the chart', () => {
  it.each(all)('passes the linter with %s', (name) => {
    const file = name === 'default' ? [] : ['-f', `${chart}/values-examples/${name}`]
    expect(helm('lint', '--strict', chart, ...file)).toContain('0 chart(s) failed')
  })

  it.each(['n', '1e3', 'true', '0x10', 'null', '2026-01-31', 'a-very-long-release-name-of-fifty-three-characters-ok'])(
    'stays whole in a release called %s',
    (release) => {
      const objects = render({ ...sealed, demo: { enabled: true }, providers: { groq: { existingSecret: 'g' } } }, release)
      for (const { labels = {}, name } of objects.map(({ metadata }) => metadata)) {
        expect(typeof name).toBe('string')
        expect(labels['app.kubernetes.io/instance']).toBe(release)
        expect(Object.values(labels).every((value) => typeof value === 'string' && value.length <= 63)).toBe(true)
      }
      for (const { metadata } of ofKind(objects, 'Service')) expect(metadata.name).toMatch(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)
      // A pod of a StatefulSet or of a Deployment adds to the name.
      for (const { owner } of podsOf(objects)) expect(owner.metadata.name.length).toBeLessThanOrEqual(52)
    },
  )

  it.each(all)('selects exactly the pods that are meant with %s', (name) => {
    const objects = example(name)
    const pods = podsOf(objects)
    const selected = (selector: Record<string, string>) =>
      pods.filter(({ labels }) => Object.entries(selector).every(([key, value]) => labels[key] === value))
    for (const { owner, labels } of pods) {
      const own = owner.spec.selector?.matchLabels
      if (!own) continue
      expect(Object.entries(own).every(([key, value]) => labels[key] === value)).toBe(true)
      expect(selected(own).map((pod) => pod.owner.metadata.name)).toEqual([owner.metadata.name])
    }
    for (const { spec } of ofKind(objects, 'PodDisruptionBudget')) expect(selected(spec.selector.matchLabels)).toHaveLength(1)
    for (const { spec, metadata } of ofKind(objects, 'Service'))
      if (!metadata.name.endsWith('-metrics')) expect(selected(spec.selector)).toHaveLength(1)
  })

  it.each<[string, object, string]>([
    ['a value that does not exist', { ingres: { replicas: 3 } }, "additional properties 'ingres' not allowed"],
    ['one deep inside', { worker: { autoscaling: { maximum: 3 } } }, "additional properties 'maximum' not allowed"],
    ['a wrong type', { longestStreamSeconds: '300' }, 'longestStreamSeconds'],
    ['a name of a provider that the catalogue refuses', { providers: { Groq: { existingSecret: 'g' } } }, 'Groq'],
    ['two servers of the broker, which would not outvote a lost one', { nats: { replicas: 2 } }, 'nats/replicas'],
    ['a provider without a key', { providers: { groq: {} } }, 'providers.groq: has no key'],
    ['a key in the ConfigMap', { config: { providers: { groq: { api_key: 'gsk_1' } } } }, 'a ConfigMap holds no secrets'],
    ['no broker', { nats: { enabled: false } }, 'name the broker in external.nats.url'],
    [
      'users of a foreign broker that nobody made',
      { nats: { enabled: false }, external: { nats: { url: 'nats://n:4222' } } },
      'brokerUsers.existingSecret',
    ],
    ['two sources of one certificate', { nats: { tls: { existingSecret: 't', issuer: { name: 'i' } } } }, 'choose one'],
    ['a database that is nowhere', { mongodb: { enabled: false } }, 'external.mongodb.existingSecret'],
    ['half a community', { discord: { applicationId: '8'.repeat(18) } }, 'belong together'],
    ['a bot without a token', { discord }, 'discord.existingSecret'],
    ['an id that has lost its digits', { discord: { ...discord, guildId: 9e17 } }, 'guildId'],
    ['a host that is none', { exposure: { ingress: { enabled: true } } }, 'exposure.ingress.host'],
  ])('refuses %s', (_, values, words) => {
    expect(() => render(values)).toThrow(words)
  })

  it.each(all)('writes a freeway.json that freeway takes with %s', (name) => {
    const dir = mkdtempSync(join(tmpdir(), 'freeway-config-'))
    try {
      writeFileSync(join(dir, 'freeway.json'), find(example(name), 'ConfigMap', 'fw-freeway-config').data['freeway.json'])
      expect(Object.keys(loadSettings({}, dir).providers)).toEqual(name === 'ha.yaml' ? ['house-llm'] : [])
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  it('ends with the next commands', () => {
    const said = helm('install', 'fw', chart, '--namespace', 'ai', '--dry-run=client', '-f', `${chart}/values-examples/dev.yaml`)
    for (const next of [
      'kubectl -n ai rollout status deployment/fw-freeway-ingress',
      'helm -n ai test fw --logs',
      'kubectl -n ai port-forward service/fw-freeway-ingress 3001:80',
      "get secret fw-freeway-secrets -o go-template='{{.data.FREEWAY_ADMIN_TOKEN|base64decode}}'",
      '"model":"demo/chat"',
    ])
      expect(said).toContain(next)
    expect(said).not.toContain('WARNING')
  })

  it('warns of a broker on which everybody may do and read everything', () => {
    const open = ['--set', 'brokerUsers.enabled=false,nats.tls.enabled=false']
    const said = helm('install', 'fw', chart, '--namespace', 'ai', '--dry-run=client', ...open)
    expect(said).toContain('WARNING: the broker has no users')
    expect(said).toContain('WARNING: what services say to each other over the broker is not encrypted')
  })

  it('generates no password that could be guessed, and none twice', () => {
    const made = () => ofKind(render({}), 'Secret').filter(({ type }) => type === 'Opaque')
    const secrets = made()
    const values = secrets.flatMap(({ data }) => Object.values(data as Record<string, string>))
    expect(values).toHaveLength(3)
    expect(new Set([...values, ...made().flatMap(({ data }) => Object.values(data as object))]).size).toBe(6)
    for (const value of values) expect(atob(value)).toMatch(/^[A-Za-z0-9]{43}$/)
    for (const { metadata } of secrets) expect(metadata.annotations?.['helm.sh/resource-policy']).toBe('keep')
    expect(ofKind(render(sealed), 'Secret')).toEqual([])
  })
})

describe.skipIf(!hasValidators)('a pod', () => {
  it.each(all)('may do nothing that it need not with %s', (name) => {
    for (const { owner, spec } of podsOf(example(name))) {
      const talksToCluster = owner.metadata.name.endsWith('-broker-users')
      expect(spec.automountServiceAccountToken).toBe(talksToCluster)
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
      for (const { securityContext, image, resources } of [...spec.containers, ...(spec.initContainers ?? [])]) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        expect(image).not.toMatch(/(:latest|:)$/)
        expect(resources?.requests).toHaveProperty('cpu')
        expect(resources?.limits).toHaveProperty('memory')
      }
    }
    for (const { spec } of freewayPods(example(name))) expect(spec.securityContext).toMatchObject({ runAsUser: 65532 })
  })

  it.each(all)('of a service ends after its streams, and none is missed while another takes over, with %s', (name) => {
    for (const { owner, spec } of services(example(name))) {
      const [main] = spec.containers
      const drainS = Number(variable(main as Container, 'FREEWAY_DRAIN_MS')) / 1000
      expect(main?.lifecycle?.preStop?.sleep).toEqual({ seconds: 10 })
      if (/ingress|worker/.test(owner.metadata.name)) expect(spec.terminationGracePeriodSeconds).toBe(drainS + 30)
      expect(owner.spec.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 })
      expect(spec.topologySpreadConstraints?.map(({ topologyKey }) => topologyKey)).toEqual([
        'kubernetes.io/hostname',
        'topology.kubernetes.io/zone',
      ])
    }
  })

  it('is restarted for its own sake alone: liveness asks nobody else', () => {
    for (const { spec } of services(example('prod.yaml'))) {
      const [main] = spec.containers
      expect(main?.livenessProbe).toMatchObject({ httpGet: { path: '/health', port: 'metrics' } })
      expect(main?.startupProbe).toMatchObject({ httpGet: { path: '/health', port: 'metrics' } })
      expect(main?.readinessProbe).toMatchObject({ httpGet: { path: '/ready', port: 'metrics' } })
    }
  })

  it('sees the seed of its own broker user alone', () => {
    const seeds = freewayPods(example('prod.yaml')).map(({ owner, spec }) => {
      const items = spec.volumes?.find(({ name }) => name === 'broker')?.secret?.items ?? []
      return [owner.metadata.name.replace(/-[0-9a-f]{8}$/, ''), ...items.map(({ key }) => key)]
    })
    expect(seeds).toEqual([
      ['fw-freeway-ingress', 'ingress.nk'],
      ['fw-freeway-router', 'router.nk'],
      ['fw-freeway-telemetry', 'telemetry.nk'],
      ['fw-freeway-worker-gemini', 'worker-gemini.nk'],
      ['fw-freeway-worker-groq', 'worker-groq.nk'],
      ['fw-freeway-worker-pool', 'worker.nk'],
      ['fw-freeway-setup', 'setup.nk'],
      ['fw-freeway-test-chat'],
    ])
  })

  it('has a provider key only if it calls that provider', () => {
    const objects = example('prod.yaml')
    const keys = freewayPods(objects).map(({ owner, spec }) => [
      owner.metadata.name,
      spec.containers[0]?.envFrom?.map((one) => one.secretRef.name),
    ])
    expect(keys.filter(([, from]) => from)).toEqual([
      ['fw-freeway-worker-gemini', ['freeway-gemini']],
      ['fw-freeway-worker-groq', ['freeway-groq']],
      ['fw-freeway-worker-pool', ['freeway-mistral', 'freeway-openrouter']],
    ])
    expect(variable(container(objects, 'fw-freeway-router'), 'FREEWAY_WORKER_KEYS')).toBe('gemini=2,groq=1,mistral=1,openrouter=1')
    expect(container(objects, 'fw-freeway-worker-groq').args).toEqual(['worker', 'groq'])
    expect(container(objects, 'fw-freeway-worker-pool').args).toEqual(['worker'])
  })

  it('knows of the community only if it serves its members', () => {
    const objects = render({ ...sealed, discord: { ...discord, existingSecret: 'bot' }, trustedProxies: ['10.0.0.0/8', '::1'] })
    const ingress = container(objects, 'fw-freeway-ingress')
    const names = ['DISCORD_APPLICATION_ID', 'DISCORD_PUBLIC_KEY', 'DISCORD_GUILD_ID', 'DISCORD_BOT_TOKEN', 'SITE_KEY']
    expect(names.map((name) => variable(ingress, name))).toEqual([...Object.values(discord), 'bot/DISCORD_BOT_TOKEN', 's/SITE_KEY'])
    expect(ingress.env?.find(({ name }) => name === 'SITE_KEY')?.valueFrom?.secretKeyRef).toMatchObject({ optional: true })
    expect(variable(ingress, 'FREEWAY_TRUSTED_PROXIES')).toBe('10.0.0.0/8,::1')
    const knowing = services(objects).filter(({ spec }) => /DISCORD_|SITE_KEY/.test(JSON.stringify(spec)))
    expect(knowing.map(({ owner }) => owner.metadata.name)).toEqual(['fw-freeway-ingress'])
    const { spec } = find(objects, 'NetworkPolicy', 'fw-freeway-ingress')
    expect([spec.policyTypes, spec.egress[0].ports]).toEqual([['Ingress', 'Egress'], [{ port: 443, protocol: 'TCP' }]])
    expect(find(render(sealed), 'NetworkPolicy', 'fw-freeway-ingress').spec.egress).toBeUndefined()
    expect(variable(container(render({ ...sealed, discord }), 'fw-freeway-ingress'), 'DISCORD_BOT_TOKEN')).toBe('s/DISCORD_BOT_TOKEN')
  })

  it('learns how many keys there are from the keys themselves, where they stand in the values', () => {
    const apiKeys = { CLOUDFLARE_API_TOKEN: 'a, b', CLOUDFLARE_API_TOKEN_2: 'c', CLOUDFLARE_ACCOUNT_ID: 'x' }
    const objects = render({ ...sealed, providers: { cloudflare: { apiKeys } } })
    expect(variable(container(objects, 'fw-freeway-router'), 'FREEWAY_WORKER_KEYS')).toBe('cloudflare=3')
    expect(Object.keys(find(objects, 'Secret', 'fw-freeway-key-cloudflare').data)).toEqual(Object.keys(apiKeys).sort())
  })

  it('is replaced for a change that is its own, and for no other', () => {
    const values = (key: string, max: number) => ({
      ...sealed,
      providers: { groq: { apiKeys: { GROQ_API_KEY: key }, worker: { autoscaling: { max } } }, gemini: { existingSecret: 'g' } },
      longestStreamSeconds: 60,
    })
    const before = podsOf(render(values('old', 5)))
    const replaced = (objects: KubernetesObject[]) =>
      podsOf(objects)
        .filter(({ owner }, i) => JSON.stringify(owner.spec.template) !== JSON.stringify(before[i]?.owner.spec.template))
        .map(({ owner }) => owner.metadata.name)
    expect(replaced(render(values('old', 9)))).toEqual([])
    expect(replaced(render(values('new', 5)))).toEqual(['fw-freeway-worker-groq'])
    const added = render({ ...values('old', 5), image: { tag: '9.9.9' } })
    expect(replaced(added).filter((name) => /nats|mongodb/.test(name))).toEqual([])
    expect(replaced(added).length).toBeGreaterThan(5)
  })

  it('of the test reaches the gateway with the admin token', () => {
    const [test] = podsOf(example('dev.yaml')).filter(({ owner }) => owner.kind === 'Pod')
    const main = test?.spec.containers[0] as Container
    expect(variable(main, 'FREEWAY_URL')).toBe('http://fw-freeway-ingress:80')
    expect(variable(main, 'MODEL')).toBe('demo/chat')
    expect(variable(main, 'FREEWAY_ADMIN_TOKEN')).toBe('fw-freeway-secrets/FREEWAY_ADMIN_TOKEN')
  })
})
