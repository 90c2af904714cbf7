// Installs the locked dependencies when they are missing, once, also if several starts notice it at the same time.
// Plain JavaScript without dependencies, because it runs before anything is installed.

import { spawn } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

/** Whether what npm says it has installed is what the lock file demands. `dev`: with the tools for tests. */
export function isInstalled(root, { dev }) {
  const wanted = readPackages(join(root, 'package-lock.json'))
  // Installed as a package itself: npm has seen to everything.
  if (!wanted) return true
  // npm writes this file last, so an install that was cut off does not have it.
  const present = readPackages(join(root, 'node_modules', '.package-lock.json'))
  if (!present) return false
  return Object.entries(wanted).every(([path, entry]) => {
    const skipped = path === '' || entry.optional || entry.devOptional || (entry.dev && !dev)
    return skipped || (present[path]?.version === entry.version && present[path].integrity === entry.integrity)
  })
}

/** Runs `npm ci` without scripts; waits if another process is at it. Rejects with a message for the user. */
export async function install(root, { dev }) {
  const release = await acquire(join(root, '.cache'))
  try {
    if (isInstalled(root, { dev })) return
    const startedAt = Date.now()
    say(`installing dependencies${dev ? ' and test tools' : ''} (once; about 250 MB with its own Node) …`)
    const own = join(root, 'node_modules', '.bin', 'node')
    // npm silently leaves out optional packages, such as native bindings, whose `engines` do not fit the Node that runs npm:
    // an older Node fetches ours first.
    if (dev && !fitsEngines(process.versions.node)) await npmCi(root, { dev: false, node: process.execPath, startedAt })
    await npmCi(root, { dev, node: existsSync(own) ? own : process.execPath, startedAt })
    say(`installed in ${seconds(startedAt)}`)
  } finally {
    release()
  }
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw new Error(`${path} cannot be read (${error.message})`)
  }
}

function npmCi(root, { dev, node, startedAt }) {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  // Said outright, for NODE_ENV=production would drop the tools.
  args.push(dev ? '--include=dev' : '--omit=dev')
  return new Promise((resolve, reject) => {
    const child = spawnNpm(node, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    // The cause comes first, a page of usage after it.
    const keep = (text) => {
      output = (output + text).slice(0, 2000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const progress = setInterval(() => say(`still installing (${seconds(startedAt)})`), 15_000)
    child.on('error', (error) => {
      clearInterval(progress)
      reject(new Error(`npm could not be started (${error.code}). Install Node with npm, or run "npm ci" in ${root} yourself.`))
    })
    child.on('close', (code) => {
      clearInterval(progress)
      if (code === 0) resolve()
      else reject(new Error(`npm ci ended with code ${code}.\n${output.trim()}\n${advice(output, root)}`))
    })
  })
}

/** The npm that called us, if one did; else the one in the path. Both run on `node`. */
function spawnNpm(node, args, options) {
  const caller = process.env.npm_execpath
  if (caller && basename(caller) === 'npm-cli.js' && existsSync(caller)) return spawn(node, [caller, ...args], options)
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` }
  // On Windows npm is a batch file, which only a shell can start; the arguments are our own words.
  return spawn('npm', args, { ...options, env, shell: process.platform === 'win32' })
}

function fitsEngines(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)
}

function advice(output, root) {
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT/.test(output)) {
    return 'The package registry cannot be reached. The first start needs a connection: check it (HTTPS_PROXY is respected) and start again.'
  }
  if (/ENOSPC/.test(output)) return 'The disk is full: about 500 MB are needed.'
  if (/EACCES|EPERM|EROFS/.test(output)) return `${root} is not writable for this user.`
  return `Run "npm ci" in ${root} to see more.`
}

const WAIT_MS = 15 * 60_000

/** Resolves with the function that gives the lock back. */
async function acquire(folder) {
  mkdirSync(folder, { recursive: true })
  const lock = join(folder, 'install.lock')
  const draft = `${lock}.${process.pid}`
  writeFileSync(draft, String(process.pid))
  try {
    let told = false
    for (const startedAt = Date.now(); Date.now() - startedAt < WAIT_MS; ) {
      if (tryLink(draft, lock)) return () => rmSync(lock, { force: true })
      if (removeIfAbandoned(lock, draft)) continue
      if (!told) say('another start is installing dependencies; waiting for it …')
      told = true
      await sleep(200)
    }
    throw new Error(`another process has been installing for ${WAIT_MS / 60_000} minutes. If there is none, remove ${lock}.`)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** A link appears with its content or not at all, and never over an existing file. */
function tryLink(draft, lock) {
  try {
    linkSync(draft, lock)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function removeIfAbandoned(lock, draft) {
  const moved = `${draft}.abandoned`
  try {
    if (isAlive(ownerOf(lock))) return false
    renameSync(lock, moved)
    // Somebody else may have removed the dead one first and taken the lock.
    if (isAlive(ownerOf(moved))) tryLink(moved, lock)
    rmSync(moved)
    return true
  } catch (error) {
    // Given back in the meantime.
    if (error.code === 'ENOENT') return true
    throw error
  }
}

function ownerOf(lock) {
  return Number(readFileSync(lock, 'utf8'))
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function seconds(startedAt) {
  return `${Math.round((Date.now() - startedAt) / 1000)} s`
}

/** On standard error: standard output belongs to the service. */
function say(words) {
  process.stderr.write(`freeway: ${words}\n`)
}
