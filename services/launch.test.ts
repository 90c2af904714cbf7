import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

// A project as small as can be, with the real launcher in it.
let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'freeway-launch-'))
  mkdirSync(join(root, 'services'))
  for (const file of ['launch.mjs', 'install.mjs']) cpSync(join(import.meta.dirname, file), join(root, 'services', file))
})
afterEach(() => rmSync(root, { recursive: true }))

const service = (code: string) => writeFileSync(join(root, 'services/freeway.ts'), code)

interface Started {
  child: ChildProcess
  /** Resolves when the text has been seen on standard output. */
  says(text: string): Promise<void>
  ended: Promise<{ code: number | null; signal: string | null; out: string; err: string }>
}

function launch(args: string[], env: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, [join(root, 'services/launch.mjs'), ...args], {
    env: { PATH: process.env.PATH, HOME: root, FREEWAY_NODE: process.execPath, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const seen = { out: '', err: '' }
  child.stdout?.on('data', (text) => {
    seen.out += text
  })
  child.stderr?.on('data', (text) => {
    seen.err += text
  })
  return {
    child,
    async says(text) {
      while (!seen.out.includes(text)) await once(child.stdout as NodeJS.EventEmitter, 'data')
    },
    ended: once(child, 'close').then(([code, signal]) => ({ code, signal, ...seen })),
  }
}

describe('the service', () => {
  it('gets the arguments and gives its exit code', async () => {
    service('console.log(JSON.stringify(process.argv.slice(2))); const code: number = 7; process.exit(code)')
    expect(await launch(['cluster', '--ingress', '2']).ended).toMatchObject({ code: 7, out: '["cluster","--ingress","2"]\n', err: '' })
  })

  it('runs where the user is, with a compile cache beside the dependencies', async () => {
    service('console.log(process.cwd()); console.log(process.env.NODE_COMPILE_CACHE)')
    expect((await launch(['start']).ended).out).toBe(`${process.cwd()}\n${join(root, 'node_modules/.cache/compile')}\n`)
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('hears %s once and may take its time to stop', async (signal) => {
    service(`
      let heard = 0
      const timer = setInterval(() => {}, 1000)
      process.on('${signal}', () => { heard++; setTimeout(() => { console.log('heard', heard); clearInterval(timer); process.exitCode = 3 }, 200) })
      console.log('ready')`)
    const started = launch(['start'])
    await started.says('ready')
    started.child.kill(signal)
    expect(await started.ended).toMatchObject({ code: 3, signal: null, out: 'ready\nheard 1\n' })
  })

  it('is told by the end of its input when the launcher is killed', async () => {
    service(`
      console.log(process.env.FREEWAY_LIFELINE)
      process.stdin.on('end', () => { console.log('alone'); process.exit(0) }).resume()
      setInterval(() => {}, 1000)`)
    const started = launch(['start'])
    await started.says('stdin')
    started.child.kill('SIGKILL')
    expect(await started.ended).toMatchObject({ signal: 'SIGKILL', out: 'stdin\nalone\n' })
  })

  it('dies by a signal as if there were no launcher', async () => {
    service("process.kill(process.pid, 'SIGKILL')")
    expect(await launch(['start']).ended).toMatchObject({ code: null, signal: 'SIGKILL' })
  })

  it('is not started by a Node that is not there', async () => {
    service('')
    const { code, err } = await launch(['start'], { FREEWAY_NODE: '/nowhere/node' }).ended
    expect(code).toBe(1)
    expect(err).toBe('freeway: /nowhere/node cannot be run (ENOENT). Install Node 26 or newer and let FREEWAY_NODE point to its binary.\n')
  })
})

it('--run runs a tool of the project with its arguments', async () => {
  writeFileSync(join(root, 'tool.ts'), 'const args: string[] = process.argv.slice(2); console.log(args.join()); process.exit(4)')
  expect(await launch(['--run', 'tool.ts', 'a', 'b']).ended).toMatchObject({ code: 4, out: 'a,b\n' })
})

describe('missing dependencies', { timeout: 60_000 }, () => {
  const npm = (cwd: string, ...args: string[]) =>
    execFileSync('npm', args, { cwd, stdio: 'pipe', env: { PATH: process.env.PATH, HOME: cwd } })

  // Two packages in files, so that the real npm needs no registry.
  const packages = mkdtempSync(join(tmpdir(), 'freeway-packages-'))
  beforeAll(() => {
    for (const name of ['greeting', 'tool']) {
      mkdirSync(join(packages, name))
      writeFileSync(join(packages, name, 'package.json'), JSON.stringify({ name, version: '1.0.0' }))
      writeFileSync(join(packages, name, 'index.js'), `module.exports = 'hello from ${name}'`)
    }
    npm(packages, 'pack', './greeting', './tool')
    const manifest = {
      name: 'small',
      dependencies: { greeting: 'file:greeting-1.0.0.tgz' },
      devDependencies: { tool: 'file:tool-1.0.0.tgz' },
    }
    writeFileSync(join(packages, 'package.json'), JSON.stringify(manifest))
    npm(packages, 'install', '--package-lock-only', '--offline')
  }, 60_000)
  afterAll(() => rmSync(packages, { recursive: true }))

  beforeEach(() => {
    service("console.log(require('greeting'))")
    for (const file of ['package.json', 'package-lock.json', 'greeting-1.0.0.tgz', 'tool-1.0.0.tgz'])
      cpSync(join(packages, file), join(root, file))
  })

  it('are installed before the first start, without the tools, and not again', async () => {
    const first = await launch(['start']).ended
    expect(first).toMatchObject({ code: 0, out: 'hello from greeting\n' })
    expect(first.err).toMatch(/installing dependencies \(.*installed in/s)
    expect(existsSync(join(root, 'node_modules/tool'))).toBe(false)
    expect(await launch(['start']).ended).toMatchObject({ code: 0, out: 'hello from greeting\n', err: '' })
  })

  it('are completed for a tool, and that does for a start', async () => {
    await launch(['start']).ended
    writeFileSync(join(root, 'run.cjs'), "console.log(require('tool'))")
    expect(await launch(['--run', 'run.cjs']).ended).toMatchObject({ code: 0, out: 'hello from tool\n' })
    expect(await launch(['start']).ended).toMatchObject({ code: 0, err: '' })
  })

  it('that were installed by hand are left alone', async () => {
    npm(root, 'ci', '--offline')
    expect(await launch(['start']).ended).toMatchObject({ code: 0, out: 'hello from greeting\n', err: '' })
  })

  it('are installed once for several starts at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 3 }, () => launch(['start']).ended))
    expect(all.map(({ code, out }) => [code, out])).toEqual(Array(3).fill([0, 'hello from greeting\n']))
    expect(all.filter(({ err }) => err.includes('installing dependencies (')).length).toBe(1)
  })

  it('are installed although an earlier install was killed', async () => {
    mkdirSync(join(root, '.cache'))
    // Greater than any process number.
    writeFileSync(join(root, '.cache/install.lock'), '2147483646')
    expect(await launch(['start']).ended).toMatchObject({ code: 0, out: 'hello from greeting\n' })
    expect(existsSync(join(root, '.cache/install.lock'))).toBe(false)
  })

  it('are explained when the registry cannot be reached', async () => {
    const lock = {
      lockfileVersion: 3,
      packages: { '': { dependencies: { 'left-pad': '1.3.0' } }, 'node_modules/left-pad': { version: '1.3.0' } },
    }
    writeFileSync(join(root, 'package.json'), JSON.stringify({ dependencies: { 'left-pad': '1.3.0' } }))
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock))
    const { code, err } = await launch(['start'], { npm_config_registry: 'http://127.0.0.1:9/', npm_config_fetch_retries: '0' }).ended
    expect(code).toBe(1)
    expect(err).toContain('ECONNREFUSED')
    expect(err).toContain('The package registry cannot be reached. The first start needs a connection')
    expect(existsSync(join(root, '.cache/install.lock'))).toBe(false)
  })

  it('are explained when there is no npm', async () => {
    const { code, err } = await launch(['start'], { PATH: '/nowhere' }).ended
    expect(code).toBe(1)
    expect(err).toContain('npm could not be started (ENOENT). Install Node with npm')
  })
})
