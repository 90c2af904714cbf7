// Question and answer over plain messages, for both adapters alike: one reply subscription for each process,
// opened with the first question, and the no-responders signal as the fastest "nobody is there".

import type { BusMessage } from '#contracts/bus.ts'
import { type Bus, Disconnected, NoResponders, RequestTimeout } from '#contracts/bus.ts'
import type { Pattern, Subject } from '#contracts/subjects.ts'

interface Waiting {
  resolve(message: BusMessage): void
  reject(reason: unknown): void
}

/** `inboxPrefix` must be this process' own; answers come in on `<inboxPrefix>.<number>`. */
export function openRequests(bus: Pick<Bus, 'publish' | 'subscribe'>, inboxPrefix: string): Bus['request'] {
  const waiting = new Map<string, Waiting>()
  let opened = false
  let count = 0

  function onAnswer(message: BusMessage): void {
    const asked = waiting.get(message.subject)
    if (message.noResponders) asked?.reject(new NoResponders('nobody answers on this subject'))
    else asked?.resolve(message)
  }

  return function request(to, data, { timeoutMs, signal }) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      if (!opened) {
        opened = true
        bus.subscribe(`${inboxPrefix}.*` as Pattern, onAnswer)
      }
      const reply = `${inboxPrefix}.${(++count).toString(36)}` as Subject
      const timer = setTimeout(() => settle.reject(new RequestTimeout(`no answer within ${timeoutMs} ms`)), timeoutMs)
      const onAbort = () => settle.reject(signal?.reason)
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        waiting.delete(reply)
      }
      const settle: Waiting = {
        resolve(message) {
          done()
          resolve(message)
        },
        reject(reason) {
          done()
          reject(reason)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      waiting.set(reply, settle)
      try {
        if (!bus.publish(to, data, { reply })) settle.reject(new Disconnected('the connection to the broker is down'))
      } catch (error) {
        settle.reject(error)
      }
    })
  }
}
