import { expect, it } from 'vitest'
import { utf8 } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import { BodyUnavailable } from '#services/blob.ts'
import { noCall, pulledCall } from './pulled-call.ts'
import type { UpstreamCall, UpstreamEvents } from './upstream.ts'

function begin(send?: (body: Uint8Array) => UpstreamCall) {
  const told: string[] = []
  const fetched = Promise.withResolvers<Uint8Array>()
  let signal: AbortSignal | undefined
  const note = (what: string) => () => void told.push(what)
  const events: UpstreamEvents = {
    onSend: note('sent'),
    onHeaders: note('headers'),
    onData: note('data'),
    onEnd: note('end'),
    onError: (error) => void told.push(`error: ${error.message}`),
  }
  const upstream = { abort: note('abort'), letGo: note('let go'), pause: note('pause'), resume: note('resume') }
  const call = pulledCall(
    (given) => {
      signal = given
      return fetched.promise
    },
    send ??
      ((body) => {
        told.push(`call with ${new TextDecoder().decode(body)}`)
        return upstream
      }),
    events,
  )
  /** What was told, once the body is there or will never be. */
  const after = async (settle: () => void) => {
    settle()
    await Promise.allSettled([fetched.promise])
    await new Promise(setImmediate)
    return told
  }
  return { call, told, fetched, after, aborted: () => signal?.aborted }
}

it('the provider is called when the body is there, and not before', async () => {
  const { call, told, after, fetched } = begin()
  call.pause()
  call.resume()
  expect(told).toEqual([])
  expect(await after(() => fetched.resolve(utf8('it')))).toEqual(['call with it'])
  call.pause()
  call.resume()
  call.letGo()
  call.abort()
  expect(told.slice(1)).toEqual(['pause', 'resume', 'let go', 'abort'])
})

it.each(['abort', 'letGo'] as const)('after %s nothing is called, though the body comes', async (end) => {
  const { call, after, fetched, aborted } = begin()
  call[end]()
  expect(aborted()).toBe(true)
  expect(await after(() => fetched.resolve(utf8('it')))).toEqual([])
})

it('a body that cannot be had is an error of the call', async () => {
  const { after, fetched } = begin()
  expect(await after(() => fetched.reject(new Error('not there')))).toEqual(['error: not there'])
})

it('nobody wants to know of it once the call was given up', async () => {
  const { call, after, fetched } = begin()
  call.abort()
  expect(await after(() => fetched.reject(new Error('not there')))).toEqual([])
})

it('a body that cannot be sent is an error of the call, not of the process', async () => {
  const { after, fetched } = begin(() => {
    throw new Error('no JSON')
  })
  expect(await after(() => fetched.resolve(utf8('{')))).toEqual(['error: no JSON'])
})

it.each([
  ['what a provider cannot be asked is told as it is', new FreewayError('invalid_request_error', 'no'), FreewayError],
  ['what is wrong with us is not told of the provider', new URIError('URI malformed'), BodyUnavailable],
])('a call that cannot be made: %s', async (_, error, told) => {
  const { promise, resolve } = Promise.withResolvers<Error>()
  noCall({ onSend() {}, onHeaders() {}, onData() {}, onEnd() {}, onError: resolve }, error)
  expect(await promise).toBeInstanceOf(told)
})
