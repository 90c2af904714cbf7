// The shape of the house, checked by reading the source. Every rule is also shown something bad, so that it is known to be able to fail.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Manifest, Rule } from '#test/support/rules.ts'
import * as rules from '#test/support/rules.ts'
import { readSources, root, source } from '#test/support/sources.ts'

const sources = readSources()
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const manifest: Manifest = JSON.parse(read('package.json'))

/** `bad`: files that break the rule, each with what is said about it; `good`: look-alikes that do not. */
const table: { name: string; rule: Rule; bad: [path: string, text: string, fault: string][]; good: [path: string, text: string][] }[] = [
  {
    name: 'contracts import only zod and themselves',
    rule: rules.contractsImportOnlyZodAndThemselves,
    bad: [
      ['contracts/a.ts', "import { x } from '#services/logger.ts'", 'contracts/a.ts: contracts may not import #services/logger.ts'],
      ['contracts/wire/b.ts', "import 'node:fs'", 'contracts/wire/b.ts: contracts may not import node:fs'],
      ['contracts/c.ts', "const x = await import('undici')", 'contracts/c.ts: contracts may not import undici'],
    ],
    good: [
      ['contracts/a.ts', "import { z } from 'zod'\nimport type { B } from './wire/b.ts'\n// import 'node:fs'"],
      ['contracts/a.test.ts', "import { expect } from 'vitest'"],
    ],
  },
  {
    name: 'a service knows the contracts, what stands beside it, and itself',
    rule: rules.servicesDoNotKnowEachOther,
    bad: [
      [
        'services/router/a.ts',
        "import { x } from '#services/ingress/ingress.ts'",
        'services/router/a.ts: may not import #services/ingress/ingress.ts',
      ],
      ['services/router/b.ts', "import type { X } from '../workers/keys.ts'", 'services/router/b.ts: may not import ../workers/keys.ts'],
      ['services/ledger.ts', "export { x } from './router/router.ts'", 'services/ledger.ts: may not import ./router/router.ts'],
      ['services/router/c.ts', "import { x } from '#services/freeway.ts'", 'services/router/c.ts: may not import #services/freeway.ts'],
      ['services/router/d.ts', "import { x } from '#test/support/x.ts'", 'services/router/d.ts: may not import #test/support/x.ts'],
      [
        'services/router/e.ts',
        "import { x } from '#services/quota/pool.ts'",
        'services/router/e.ts: may not import #services/quota/pool.ts',
      ],
    ],
    good: [
      [
        'services/router/a.ts',
        "import { x } from './b.ts'\nimport { y } from '#services/logger.ts'\nimport { z } from '#contracts/job.ts'",
      ],
      ['services/router/e.ts', "import { x } from '#services/quota/quota.ts'"],
      ['services/router/f.ts', "import { x } from '../trace/trace.ts'"],
      ['services/freeway.ts', "import { x } from './router/router.ts'"],
    ],
  },
  {
    name: 'a service is entered by its door',
    rule: rules.servicesAreEnteredByTheirDoors,
    bad: [
      ['services/freeway.ts', "import { x } from './router/route.ts'", 'services/freeway.ts: ./router/route.ts is not a door'],
      [
        'test/journeys/a.test.ts',
        "import { x } from '#services/workers/keys.ts'",
        'test/journeys/a.test.ts: #services/workers/keys.ts is not a door',
      ],
      [
        'services/router/a.test.ts',
        "import { x } from '../workers/keys.ts'",
        'services/router/a.test.ts: ../workers/keys.ts is not a door',
      ],
    ],
    good: [
      ['services/freeway.ts', "import { x } from './router/router.ts'\nconst bus = await import('./bus/nats.ts')"],
      ['test/journeys/a.test.ts', "import { x } from '#services/workers/workers.ts'\nimport { y } from '#services/logger.ts'"],
      ['services/router/route.test.ts', "import { route } from './route.ts'"],
    ],
  },
  {
    name: 'a package has one owner',
    rule: rules.packagesHaveOneOwner,
    bad: [
      ['services/router/a.ts', "import { connect } from 'nats'", 'services/router/a.ts: nats belongs to services/bus/nats'],
      [
        'services/logger.ts',
        "const api = await import('@opentelemetry/api')",
        'services/logger.ts: @opentelemetry/api belongs to services/trace/trace.ts, services/metrics.ts',
      ],
      [
        'services/ingress/gate.ts',
        "import { Elysia } from 'elysia'",
        'services/ingress/gate.ts: elysia belongs to services/ingress/routes.ts, services/ingress/front.ts',
      ],
    ],
    good: [
      ['services/bus/nats.ts', "import { connect } from 'nats'"],
      ['services/ingress/front.ts', "import { serve } from 'srvx'"],
      ['services/bus/nats.test.ts', "import { connect } from 'nats'"],
    ],
  },
  {
    name: 'what decides sees no clock, no chance and no world',
    rule: rules.pureFilesSeeNoWorld,
    bad: [
      ['services/router/a.ts', '// Pure. Decides.\nconst now = Date.now()', 'services/router/a.ts: uses Date.now'],
      ['services/router/b.ts', '// Pure. Decides.\n\nexport const today = () => new Date()', 'services/router/b.ts: uses new Date()'],
      ['services/router/c.ts', '// Pure. Decides.\nsetTimeout(go, Math.random())', 'services/router/c.ts: uses setTimeout'],
      ['services/router/d.ts', "// Pure. Decides.\nimport { readFileSync } from 'node:fs'", 'services/router/d.ts: uses node:fs'],
      [
        'services/router/e.ts',
        "// Pure. Decides.\nimport { now } from './f.ts'",
        'services/router/e.ts: uses performance. through services/router/f.ts',
      ],
      ['services/router/f.ts', 'export const now = () => performance.now()', ''],
      ['contracts/g.ts', 'const key = process.env.KEY', 'contracts/g.ts: uses process.'],
      ['services/router/h.ts', '// Pure. Decides.\nconst id = crypto.randomUUID()', 'services/router/h.ts: uses randomUUID'],
    ],
    good: [
      [
        'services/router/a.ts',
        "// Pure. Not Date.now().\nexport const say = () => 'Date.now()'\nconst at = new Date(nowMs)\nimport type { B } from './b.ts'",
      ],
      ['services/router/b.ts', '// Runs the clock.\nexport type B = number\nconst now = Date.now()'],
    ],
  },
  {
    name: 'imports make no circle',
    rule: rules.importsMakeNoCircle,
    bad: [
      ['services/a.ts', "import { b } from './b.ts'", 'services/a.ts → services/b.ts → services/c.ts → services/a.ts'],
      ['services/b.ts', "import { c } from '#services/c.ts'", ''],
      ['services/c.ts', "import { a } from './a.ts'", ''],
    ],
    good: [
      ['services/a.ts', "import { b } from './b.ts'\nimport { c } from './c.ts'"],
      ['services/b.ts', "import { c } from './c.ts'"],
      ['services/c.ts', ''],
    ],
  },
  {
    name: 'files stay short',
    rule: rules.filesStayShort,
    bad: [['services/a.ts', 'x\n'.repeat(251), 'services/a.ts: 251 lines; look for the second idea in it']],
    good: [
      ['services/a.ts', 'x\n'.repeat(250)],
      ['services/a.test.ts', 'x\n'.repeat(400)],
    ],
  },
  {
    name: 'there are no enums',
    rule: rules.thereAreNoEnums,
    bad: [['services/a.ts', 'export enum Colour { Red }', 'services/a.ts: enum; take a const object and a union type']],
    good: [['services/a.ts', "// enum Colour {}\nconst text = 'enum Colour {'\nz.enum(['a'])"]],
  },
  {
    name: 'subjects are spelled in one place',
    rule: rules.subjectsAreSpelledOnce,
    bad: [
      [
        'services/router/a.ts',
        "bus.publish('fw.v1.job', data)",
        'services/router/a.ts: spells fw.v1.job; take it from contracts/subjects.ts',
      ],
    ],
    good: [
      ['contracts/subjects.ts', "const PREFIX = 'fw.v1'"],
      ['services/router/a.ts', '// listens on fw.v1.job\n'],
    ],
  },
  {
    name: 'no error is swallowed without a reason',
    rule: rules.noErrorIsSwallowedSilently,
    bad: [
      ['services/a.ts', 'try {\n  go()\n} catch {}', 'services/a.ts: line 3: an error is swallowed without a reason'],
      ['services/b.ts', 'try {\n  go()\n} catch (error) {\n}', 'services/b.ts: line 3: an error is swallowed without a reason'],
      ['services/c.ts', 'go().catch(() => {})', 'services/c.ts: line 1: an error is swallowed without a reason'],
    ],
    good: [
      ['services/a.ts', 'try {\n  go()\n} catch {\n  // gone already\n}'],
      ['services/b.ts', '// A late failure helps nobody.\ngo().catch(() => {})'],
      ['services/c.ts', 'go().catch((error) => log(error))'],
    ],
  },
]

describe.each(table)('$name', ({ rule, bad, good }) => {
  it('holds in the tree', () => expect(rule(sources)).toEqual([]))

  it('finds what breaks it', () => {
    const found = rule(bad.map(([path, text]) => source(path, text)))
    for (const [, , fault] of bad) if (fault !== '') expect(found).toContain(fault)
    expect(found.length).toBeGreaterThan(0)
  })

  it('lets look-alikes pass', () => expect(rule(good.map(([path, text]) => source(path, text)))).toEqual([]))
})

describe('package.json', () => {
  it('declares everything that is imported', () => expect(rules.importsAreDeclared(sources, manifest)).toEqual([]))

  it('finds what is not declared, and what production takes from the tools', () => {
    const declared = { dependencies: { zod: '1.0.0' }, devDependencies: { vitest: '1.0.0' } }
    const files = [
      source('services/a.ts', "import 'zod'\nimport 'left-pad'\nimport { it } from 'vitest'\nimport 'node:fs'"),
      source('services/a.test.ts', "import { it } from 'vitest'\nimport '@scope/name/deep'\nrun(`\nimport 'in-a-template'`)"),
    ]
    expect(rules.importsAreDeclared(files, declared)).toEqual([
      'services/a.ts: left-pad is not in the dependencies of package.json',
      'services/a.ts: vitest is not in the dependencies of package.json',
      'services/a.test.ts: @scope/name is not in package.json',
    ])
  })

  it('holds nothing that is not used', () => {
    expect(rules.dependenciesAreUsed(sources, manifest, read('tsconfig.json'))).toEqual([])
  })

  it('finds what is not used', () => {
    const declared = {
      scripts: { lint: 'node node_modules/@a/linter/bin' },
      dependencies: { zod: '1.0.0', 'left-pad': '1.0.0' },
      devDependencies: { '@a/linter': '1.0.0', '@types/node': '1.0.0', '@types/react': '1.0.0' },
    }
    const files = [source('services/a.ts', "import { z } from 'zod' // left-pad")]
    expect(rules.dependenciesAreUsed(files, declared, '{"types":["node"]}')).toEqual(['left-pad', '@types/react'])
  })

  it('pins every version', () => expect(rules.versionsArePinned(manifest)).toEqual([]))

  it('finds a version that may move', () => {
    expect(rules.versionsArePinned({ dependencies: { a: '^1.0.0', b: '1.0.0' }, devDependencies: { c: '*' } })).toEqual([
      'a: ^1.0.0',
      'c: *',
    ])
  })

  it('comes with a lock file for every platform', () => {
    expect(rules.lockFileHoldsEveryPlatform(JSON.parse(read('package-lock.json')))).toEqual([])
  })

  it('finds a platform that the lock file leaves out', () => {
    const packages = { 'node_modules/a': { optionalDependencies: { 'a-linux': '1.0.0', 'a-darwin': '1.0.0' } }, 'node_modules/a-linux': {} }
    expect(rules.lockFileHoldsEveryPlatform({ packages })).toEqual(['a-darwin'])
  })
})

describe('README.md', () => {
  it('names only scripts that exist', () => expect(rules.readmeNamesExistingScripts(read('README.md'), manifest)).toEqual([]))

  it('is caught naming one that does not', () => {
    expect(rules.readmeNamesExistingScripts('Run `npm start`, `npm run dance` and npm ci.', { scripts: { start: '' } })).toEqual(['dance'])
  })
})
