// The compose file as one command starts it: everything that is named is there, and each service waits for what it needs.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { root } from '#test/support/sources.ts'
import { hasValidators, validators } from './tools.ts'

interface Service {
  image: string
  build?: object
  command?: string[]
  depends_on?: string[] | Record<string, { condition: string }>
  healthcheck?: { test?: unknown; disable?: boolean }
  volumes?: string[]
  ports?: string[]
  environment?: Record<string, string>
  read_only?: boolean
  cap_drop?: string[]
}
interface Compose {
  services: Record<string, Service>
  volumes: Record<string, unknown>
}

const deploy = join(root, 'deploy')
const yaml = hasValidators && (await import(pathToFileURL(join(validators, 'node_modules/yaml/dist/index.js')).href))
const { services, volumes } = (
  yaml ? yaml.parse(readFileSync(join(deploy, 'compose.yaml'), 'utf8'), { merge: true }) : { services: {}, volumes: {} }
) as Compose

const own = Object.entries(services).filter(([, { build }]) => build)
const needsOf = ({ depends_on = {} }: Service): [string, string][] =>
  Array.isArray(depends_on)
    ? depends_on.map((name) => [name, 'service_started'])
    : Object.entries(depends_on).map(([name, { condition }]) => [name, condition])
/** Our image has a check of its own. */
const isChecked = ({ build, healthcheck }: Service) =>
  healthcheck?.disable !== true && (healthcheck?.test !== undefined || build !== undefined)

describe.skipIf(!hasValidators)('the compose file', () => {
  it('waits for nobody who is not there, nor for the health of one that is not checked', () => {
    for (const [name, service] of Object.entries(services))
      for (const [needed, condition] of needsOf(service)) {
        expect(services, `${name} needs ${needed}`).toHaveProperty(needed)
        if (condition === 'service_healthy')
          expect(isChecked(services[needed] as Service), `${needed} says whether it is healthy`).toBe(true)
      }
  })

  it('starts in an order in which everything that is needed comes first', () => {
    const order: string[] = []
    const visit = (name: string, path: string[] = []): void => {
      expect(path, 'in a circle').not.toContain(name)
      for (const [needed] of needsOf(services[name] as Service)) visit(needed, [...path, name])
      if (!order.includes(name)) order.push(name)
    }
    for (const name of Object.keys(services)) visit(name)
    const before = (first: string, second: string) => expect(order.indexOf(first)).toBeLessThan(order.indexOf(second))
    for (const [first, second] of [
      'nats-config nats',
      'nats nats-setup',
      'nats-setup router',
      'router worker',
      'worker ingress',
      'mongo telemetry',
    ].map((pair) => pair.split(' ')))
      before(first as string, second as string)
  })

  it('mounts files that are there and volumes that are declared', () => {
    for (const { volumes: mounted = [] } of Object.values(services))
      for (const mount of mounted) {
        const [source = ''] = mount.split(':')
        if (source.startsWith('.')) expect(existsSync(join(deploy, source)), source).toBe(true)
        else expect(volumes, mount).toHaveProperty(source)
      }
  })

  it('publishes nothing beyond this machine unless it is told to', () => {
    const published = Object.values(services).flatMap(({ ports = [] }) => ports)
    expect(published.length).toBeGreaterThan(3)
    for (const port of published) expect(port).toMatch(/^(127\.0\.0\.1|\$\{FREEWAY_BIND:-127\.0\.0\.1\}):/)
  })

  it('has no page that lets in whoever knows the customary password', () => {
    expect(services.grafana?.environment).toMatchObject({ GF_AUTH_DISABLE_LOGIN_FORM: 'true', GF_AUTH_BASIC_ENABLED: 'false' })
  })

  it('runs every service as its own user of the broker, with nothing that it need not have', () => {
    expect(own.map(([name]) => name)).toEqual(expect.arrayContaining(['ingress', 'router', 'worker', 'telemetry', 'simulator']))
    for (const [, { read_only, cap_drop }] of own) expect({ read_only, cap_drop }).toEqual({ read_only: true, cap_drop: ['ALL'] })
    for (const name of ['ingress', 'router', 'worker', 'telemetry'])
      expect(services[name]?.environment?.NATS_NKEY_FILE).toBe(`/broker/seeds/${name}.nk`)
  })
})
