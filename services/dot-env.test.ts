import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { shareDotEnv } from './dot-env.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'freeway-dot-env-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('what others read of the environment may stand in .env; the environment wins, and keys are handed on to nobody', () => {
  writeFileSync(
    join(folder, '.env'),
    'OTEL_TRACES_SAMPLER_ARG=0.1\nOTEL_SERVICE_NAME=mine\nNATS_SERVER_BIN=/opt/nats\nJAEGER_URL=http://a\nFREEWAY_DEMO_URL=http://b\nGROQ_API_KEY=gsk_1\n',
  )
  const env: Record<string, string | undefined> = { OTEL_SERVICE_NAME: 'yours' }
  shareDotEnv(env, folder)
  expect(env).toEqual({
    OTEL_TRACES_SAMPLER_ARG: '0.1',
    OTEL_SERVICE_NAME: 'yours',
    NATS_SERVER_BIN: '/opt/nats',
    JAEGER_URL: 'http://a',
    FREEWAY_DEMO_URL: 'http://b',
  })
})

it('without a file nothing is set', () => {
  const env = {}
  shareDotEnv(env, folder)
  expect(env).toEqual({})
})
