// What others have built is taken as it was looked at: by digest. A tag may be moved to other bytes.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { root } from '#test/support/sources.ts'
import { example, examples, podsOf } from './render.ts'
import { hasValidators, run } from './tools.ts'

const read = (path: string) => readFileSync(join(root, 'deploy', path), 'utf8')
/** What distroless' `cc` holds: the C library with its parts, libgcc and libstdc++. */
const ofTheBase = /^lib(c|m|dl|pthread|rt|resolv|util|nss_\w+|gcc_s|stdc\+\+)\.so/
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

// Compared with the Node that runs the tests, which is the same release as that of the image.
it.skipIf(process.platform !== 'linux')('Node finds every library that it needs: in the base, or beside it', () => {
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] }
  const needed = sharedObjects.map((path) => basename(path)).filter((name) => /^lib.*\.so/.test(name))
  expect(needed).toEqual(expect.arrayContaining(['libc.so.6', 'libstdc++.so.6']))
  const [, copied = ''] = /cp ((?:\S*\/lib\S+\.so\.\d+ )+)\/libraries\/$/m.exec(read('Dockerfile')) ?? []
  const own = copied.split(' ').map((path) => basename(path))
  for (const name of needed) if (!ofTheBase.test(name)) expect(own, `copied into the image: ${name}`).toContain(name)
  expect(read('Dockerfile')).toMatch(/^COPY --from=build \/libraries\/ \/usr\/lib\/$/m)
})

it('the bill of materials that the build writes names every package that is installed in the image, and no other', () => {
  const [, command = ''] = /^RUN (npm pkg delete .*npm sbom [^>]*)>/m.exec(read('Dockerfile')) ?? []
  const dir = mkdtempSync(join(tmpdir(), 'freeway-sbom-'))
  try {
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(root, file), join(dir, file))
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> }
    // As `npm ci --omit=dev --omit=optional` leaves it.
    const installed = Object.keys(packages).filter((path) => path && isInstalled(packages[path] as Locked))
    for (const path of installed) {
      mkdirSync(join(dir, path), { recursive: true })
      copyFileSync(join(root, path, 'package.json'), join(dir, path, 'package.json'))
    }
    const written = JSON.parse(run('sh', ['-c', `cd ${dir} && ${command}`])) as { bomFormat: string; components: { name: string }[] }
    expect(written.bomFormat).toBe('CycloneDX')
    const names = installed.map((path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length))
    expect(names).toEqual(expect.arrayContaining(['elysia', 'mongodb', 'nats', 'undici', 'zod']))
    expect(new Set(written.components.map(({ name }) => name))).toEqual(new Set(names))
  } finally {
    rmSync(dir, { recursive: true })
  }
})

interface Locked {
  dev?: boolean
  optional?: boolean
  devOptional?: boolean
}
const isInstalled = ({ dev, optional, devOptional }: Locked) => !dev && !optional && !devOptional
