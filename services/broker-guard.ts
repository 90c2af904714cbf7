// A broker of our own must not outlive a supervisor that is killed, nor end before the services that still drain over it. It knows nothing
// of who has started it, so a shell waits in our place: two megabytes, where one more Node would take forty.

import { spawn } from 'node:child_process'

export interface BrokerGuard {
  /** Which processes there are now. */
  tell(broker: number, services: readonly number[]): void
  /** It looks after nobody any more. */
  release(): void
}

/** Reads who is there, until we are gone. A process whose parent does not ask for its end is still listed, as a zombie. */
const SCRIPT = `
while read -r line; do now=$line; done
set -- $now
broker=$1
shift
for service; do
  while kill -0 "$service" 2>/dev/null && ! grep -qs '^State:.*Z' "/proc/$service/status"; do sleep 0.2; done
done
[ -z "$broker" ] || kill "$broker"
`

export function guardBroker(): BrokerGuard {
  // In a process group of its own: Ctrl-C on a terminal is for us.
  const shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  // A system without a shell, or a guard that somebody has ended: the cluster works without it.
  for (const source of [shell, shell.stdin]) source.on('error', () => {})
  return {
    tell: (broker, services) => void shell.stdin.write(`${[broker, ...services].join(' ')}\n`),
    release: () => void shell.kill('SIGKILL'),
  }
}
