// README.md and docs/ tell the truth: their commands run and answer, their configuration is accepted, nothing that can be set is missing,
// and every link leads somewhere.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { accessSettings, memberLimits } from '#contracts/account.ts'
import { model, provider } from '#contracts/catalog.ts'
import { limit } from '#contracts/limit.ts'
import { mediaRoute } from '#contracts/media.ts'
import { requestPolicy } from '#contracts/request-policy.ts'
import { configuredStrategy, qualities } from '#contracts/strategy.ts'
import { buildCatalog } from '#services/router/build-catalog.ts'
import { shippedCatalog } from '#services/router/shipped.ts'
import { loadSettings } from '#services/settings.ts'
import { USAGE } from '#services/usage.ts'
import { anchorsOf, type Block, linksOf, type Page, page, pages, root, sourcesOf } from '#test/support/documents.ts'
import { environment } from '#test/support/environment.ts'
import { type Gateway, startGateway } from '#test/support/gateway.ts'

let stack: AsyncDisposableStack
beforeEach(() => {
  stack = new AsyncDisposableStack()
})
afterEach(() => stack.disposeAsync())

/** What a reader has: the project below his feet, and a gateway that was started there. */
async function startAsReader(): Promise<{ gateway: Gateway; operations: string }> {
  const gateway = stack.use(await startGateway({ env: { METRICS_PORT: '0' } }))
  for (const name of ['services', 'node_modules']) await symlink(join(root, name), join(gateway.dir, name))
  const operations = gateway.log.find(({ msg }) => msg === 'operations')?.url as string
  // It looks for routers every now and then; a reader takes longer to type than it takes to find the first.
  await expect.poll(async () => (await fetch(`${gateway.url}/ready`)).status).toBe(200)
  return { gateway, operations }
}

interface Result {
  code: number | null
  stdout: string
  stderr: string
}

async function run(command: string, args: string[], { dir, port }: Gateway, env: Record<string, string> = {}): Promise<Result> {
  const child = spawn(command, args, { cwd: dir, env: { ...environment(), PORT: String(port), ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number | null, stdout, stderr }
}

/** Each call tells its status on a line of its own; the first that fails ends the script. */
const CURL = `set -euo pipefail
curl() { command curl --silent --show-error --fail-with-body --max-time 20 --write-out '%{stderr}status %{http_code}\\n' "$@"; }
`
/** What installs and starts the whole is what these tests begin with. */
const isRun = ({ info, text }: Block) => info === 'sh' && !/^npm /m.test(text)
const written = ({ path, line }: Page & Block) => `${path}:${line}`

const readable = pages()
/** Its commands want Docker, or a cluster. */
const ofDeployment = page('deploy/README.md')
const script = ({ path, blocks }: Page) =>
  CURL +
  blocks
    .filter(isRun)
    .map((block) => `echo >&2 '${path}:${block.line}'\n${block.text}`)
    .join('')

describe('the commands of the documents', () => {
  it.each(readable.filter(({ blocks }) => blocks.some(isRun)))(
    '$path: every command succeeds, every curl is answered',
    { timeout: 60_000 },
    async (one) => {
      const { gateway, operations } = await startAsReader()
      const commands = script(one).replaceAll('http://127.0.0.1:3001', gateway.url).replaceAll('http://127.0.0.1:9464', operations)
      const { code, stdout, stderr } = await run('bash', ['-c', commands], gateway)
      expect(code, `${stderr.slice(-600)}\n${stdout.slice(-600)}`).toBe(0)
      const statuses = [...stderr.matchAll(/^status (\d+)$/gm)].map(([, status]) => Number(status))
      expect(statuses.length).toBe(commands.match(/^\s*curl |\$\(curl /gm)?.length)
      expect(statuses.filter((status) => status < 200 || status > 299)).toEqual([])
    },
  )

  const programs = readable.flatMap((one) => one.blocks.filter(({ info }) => info === 'ts').map((block) => ({ ...one, ...block })))
  it.each(programs)('$path:$line: the program prints an answer', { timeout: 60_000 }, async (program) => {
    const { gateway } = await startAsReader()
    const file = join(gateway.dir, 'program.mts')
    await writeFile(file, program.text.replaceAll('http://127.0.0.1:3001', gateway.url))
    const { code, stdout, stderr } = await run(process.execPath, [file], gateway, { FREEWAY_KEY: 'any' })
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(stdout).toContain('demo')
  })

  it('leaves out few blocks', () => {
    const left = readable.flatMap((one) =>
      one.blocks.filter(({ info }) => info === 'sh no-run').map((block) => written({ ...one, ...block })),
    )
    expect(left.length).toBeLessThanOrEqual(6)
  })

  it('names only commands that there are', () => {
    const scripts = ['package.json', 'deploy/validators/package.json'].flatMap((file) =>
      Object.keys((JSON.parse(readFileSync(join(root, file), 'utf8')) as { scripts: object }).scripts),
    )
    const said = [...readable, ofDeployment].map((one) => one.text).join('\n')
    const unknown = [
      ...[...said.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name).filter((name) => !scripts.includes(name)),
      ...[...said.matchAll(/launch\.mjs ([\w-]+)/g)]
        .map(([, name = '']) => name)
        .filter((name) => !new RegExp(`\\b${name}\\b`).test(USAGE)),
    ]
    expect(unknown).toEqual([])
  })
})

describe('the configuration of the documents', () => {
  const samples = readable.flatMap((one) =>
    one.blocks.filter(({ info }) => info === 'json freeway.json').map((block) => ({ ...one, ...block })),
  )

  it.each(samples)('$path:$line is accepted', async (sample) => {
    const dir = await mkdtemp(join(tmpdir(), 'freeway-readme-'))
    stack.defer(() => rm(dir, { recursive: true }))
    await writeFile(join(dir, 'freeway.json'), sample.text)
    const { providers } = buildCatalog(await shippedCatalog(), loadSettings({}, dir))
    expect(providers.length).toBeGreaterThan(0)
  })

  it('misses no variable', () => {
    const source = ['settings.ts', 'discord-settings.ts'].map((file) => readFileSync(join(root, 'services', file), 'utf8')).join('\n')
    const variables = new Set([...source.matchAll(/^ {2}([A-Z][A-Z_]{3,}): /gm)].map(([, name = '']) => name))
    for (const [, name = ''] of source.matchAll(/'((?:FREEWAY|NATS|SITE)_[A-Z_]+)'/g)) variables.add(name)
    expect(variables.size).toBeGreaterThan(35)
    expect([...variables].filter((name) => !page('docs/configuration.md').text.includes(`\`${name}\``))).toEqual([])
  })

  it('misses no field of freeway.json', () => {
    const shapes = [provider.shape, model.shape, requestPolicy.shape, limit.shape, mediaRoute.shape, configuredStrategy.shape]
    const nested = [accessSettings.shape, memberLimits.shape, Object.fromEntries(qualities.map((quality) => [quality, 0]))]
    const own = ['providers', 'clients', 'aliases', 'strategies', 'access', 'max_wait_s', 'api_key', 'api_keys', 'key_hash', 'tier']
    const fields = new Set([...own, ...[...shapes, ...nested].flatMap((shape) => Object.keys(shape))])
    expect([...fields].filter((name) => !page('docs/configuration.md').text.includes(`\`${name}\``))).toEqual([])
  })

  it('has no variable that nobody reads', () => {
    const read = sourcesOf('services').join('\n')
    const said = [...page('docs/configuration.md').text.matchAll(/^\| `([A-Z][A-Z_]+)`/gm)].map(([, name = '']) => name)
    expect(said.length).toBeGreaterThan(35)
    expect(said.filter((name) => !new RegExp(`\\b${name}\\b`).test(read))).toEqual([])
  })

  it('names every provider that is shipped, and the variables of those that can be used at once', async () => {
    const { providers } = await shippedCatalog()
    const usable = providers.filter(({ enabled, models }) => enabled && models.some((one) => one.enabled))
    const words = [...providers.map(({ name }) => name), ...usable.flatMap(({ env }) => env)]
    expect(words.filter((word) => !page('docs/providers.md').text.includes(`\`${word}\``))).toEqual([])
  })
})

describe('the routes of the documents', () => {
  it('are all that there are', async () => {
    const gateway = stack.use(await startGateway())
    const { paths } = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as { paths: Record<string, unknown> }
    const said = readable.map((one) => one.text).join('\n')
    expect(Object.keys(paths).filter((path) => !said.includes(`${path}\``))).toEqual([])
  })
})

describe('the links of the documents', () => {
  it.each([...readable, ofDeployment])('$path: lead somewhere', (one) => {
    const broken = linksOf(one).filter((link) => {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? one.path : normalize(join(dirname(one.path), file))
      if (!existsSync(join(root, target))) return true
      return anchor !== undefined && !anchorsOf(page(target)).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  it('lead from the README to every page', () => {
    const reached = linksOf(page('README.md')).map((link) => link.split('#')[0])
    expect(readable.map(({ path }) => path).filter((path) => path !== 'README.md' && !reached.includes(path))).toEqual([])
  })
})
