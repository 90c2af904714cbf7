// What others have built is taken as it was looked at: by digest. A tag may be moved to other bytes.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root } from '#test/support/sources.ts'
import { example, examples, podsOf } from './render.ts'
import { hasValidators } from './tools.ts'

const read = (path: string) => readFileSync(join(root, 'deploy', path), 'utf8')
const byDigest = /^[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/

it('both bases of the image are fixed by digest', () => {
  const bases = [...read('Dockerfile').matchAll(/^ARG \w+_IMAGE=(.*)$/gm)].map(([, image]) => image)
  expect(bases).toHaveLength(2)
  for (const image of bases) expect(image).toMatch(byDigest)
})

it('so is every image of the compose file but our own', () => {
  const images = [...read('compose.yaml').matchAll(/^ +image: (.*)$/gm)].map(([, image]) => image)
  const foreign = images.filter((image) => !image?.includes('FREEWAY_IMAGE'))
  expect(foreign).toHaveLength(5)
  for (const image of foreign) expect(image).toMatch(byDigest)
})

describe.skipIf(!hasValidators)('and of the chart', () => {
  it.each(['default', ...examples])('with %s', (name) => {
    const containers = podsOf(example(name)).flatMap(({ spec }) => [...spec.containers, ...(spec.initContainers ?? [])])
    const foreign = containers.map(({ image }) => image).filter((image) => !image.includes('freeway'))
    for (const image of foreign) expect(image).toMatch(byDigest)
  })
})
