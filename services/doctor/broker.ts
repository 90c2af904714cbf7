// The broker: whether it lets us in, has JetStream, is new enough, and lets this user do its work.

import { brokerRoles } from '#contracts/permissions.ts'
import { brokerOf } from '../backbones.ts'
import type { BrokerProbe } from '../bus/nats-probe.ts'
import type { Settings } from '../settings.ts'
import { SettingsError } from '../settings-error.ts'
import { type Finding, fault, ok, warn } from './finding.ts'

const OLDEST = [2, 9, 4] as const
const RECOMMENDED = [2, 10, 0] as const
const FAR_MS = 50

export async function checkBroker(settings: Settings): Promise<Finding[]> {
  if (!settings.natsUrl) return [ok('broker', 'none: all of freeway runs in one process')]
  try {
    const { probeNats } = await import('../bus/nats-probe.ts')
    return judge(await probeNats(brokerOf(settings, 'doctor', 'doctor'), brokerRoles), settings)
  } catch (error) {
    const { message } = error as Error
    if (error instanceof SettingsError) return [fault('broker', message, 'name a file that this user can read')]
    return [fault('broker', message, fixFor(message))]
  }
}

function fixFor(message: string): string {
  if (/authorization|authentication/i.test(message))
    return 'the broker knows no such user: NATS_NKEY_FILE, or the user in NATS_URL, must be one of its own'
  if (/certificate|tls|secure/i.test(message)) return 'NATS_CA_FILE has to name the authority that signed its certificate'
  return 'start it, or correct NATS_URL; from a container, 127.0.0.1 is the container itself'
}

function judge({ version, jetstream, rttMs, role, configBucket }: BrokerProbe, { natsSeedFile, secretOf }: Settings): Finding[] {
  const findings = [
    older(version, OLDEST)
      ? fault('broker', `nats-server ${version} is too old`, `install ${RECOMMENDED.join('.')} or newer`)
      : older(version, RECOMMENDED)
        ? warn('broker', `nats-server ${version} works`, `${RECOMMENDED.join('.')} or newer is recommended`)
        : ok('broker', `nats-server ${version}`),
  ]
  if (rttMs > FAR_MS) findings.push(warn('broker', `it is ${rttMs} ms away: every answer passes there`, 'run it near the services'))
  if (!jetstream)
    return [...findings, fault('broker', 'it has no JetStream', 'start nats-server with -js, or "jetstream {}" in its configuration')]
  const narrow = natsSeedFile !== undefined || secretOf('NATS_NKEY_SEED') !== undefined
  if (role === undefined)
    return [
      ...findings,
      fault(
        'broker',
        'this user may do the work of no service',
        narrow ? 'write its permissions anew: freeway nats-config' : 'give the user of NATS_URL JetStream in its account',
      ),
    ]
  findings.push(ok('broker', narrow ? `this user may do the work of ${role}` : 'JetStream can be used'))
  if (narrow && configBucket === false)
    findings.push(fault('broker', 'its stream and buckets are not there yet', 'run "freeway nats-setup" once, as the user "setup"'))
  return findings
}

function older(version: string, than: readonly number[]): boolean {
  const numbers = version.split(/[.-]/).map(Number)
  for (const [i, wanted] of than.entries()) {
    const is = numbers[i] ?? 0
    if (is !== wanted) return is < wanted
  }
  return false
}
