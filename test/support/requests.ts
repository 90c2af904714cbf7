// Clients that ask one thing after the other while something happens.

import { chat, type Reply } from './chat.ts'

export interface Requests {
  /** Resolves with all answers once none is under way. */
  stop(): Promise<Reply[]>
}

/** Three at a time, streamed and not. */
export function keepAsking(url: string, body: Record<string, unknown> = {}): Requests {
  let over = false
  const ask = async (stream: boolean) => {
    const replies: Reply[] = []
    while (!over) replies.push(await chat(url, { stream, ...body }))
    return replies
  }
  const asking = [ask(true), ask(false), ask(true)]
  return {
    async stop() {
      over = true
      return (await Promise.all(asking)).flat()
    },
  }
}
