// Who may say and hear what on the broker: least privilege, one user for each service. Pure.
// Prompts pass here, so nobody may listen to everything; JetStream is reached through the exact calls that the adapters make.

import {
  below,
  buckets,
  eventConsumer,
  eventStream,
  jobQueue,
  jobs,
  keyTrials,
  oneBelow,
  questionQueue,
  questions,
  routerQuestionQueue,
  routerQuestions,
  subject,
  workQueue,
} from './subjects.ts'

export const brokerRoles = ['ingress', 'router', 'worker', 'telemetry', 'setup'] as const
export type BrokerRole = (typeof brokerRoles)[number]

export interface Permissions {
  publish: string[]
  /** `subject` or `subject queue`: the latter grants membership of that queue group alone. */
  subscribe: string[]
}

type Bucket = keyof typeof buckets

/** `providers`: whom a worker may serve; empty for all. Throws InvalidSubject for a name that is no token. */
export function permissionsOf(role: BrokerRole, providers: readonly string[] = []): Permissions {
  const answers = below('re', role)
  switch (role) {
    case 'ingress':
      return {
        publish: [
          jobs,
          below('ctl'),
          oneBelow('lease'),
          oneBelow('ask'),
          ...events(role),
          oneBelow('try'),
          // A job that waits is withdrawn; a response is cancelled at the ingress that runs it.
          below('rt'),
          oneBelow('rs'),
          oneBelow('live'),
          below('re', 'worker'),
          below('re', 'ingress'),
          ...readAndWrite('config', 'access', 'quota', 'responses'),
        ],
        subscribe: [answers, below('in'), below('blob'), oneBelow('rs'), oneBelow('stored'), oneBelow('live')],
      }
    case 'router':
      return {
        publish: [
          below('in'),
          oneBelow('work'),
          ...events(role),
          below('re', 'ingress'),
          below('re', 'worker'),
          ...readAndWrite('config', 'quota'),
        ],
        // Every router hears every settlement; a job goes to one of them.
        subscribe: [answers, below('rt'), `${jobs} ${jobQueue}`, oneBelow('lease'), `${routerQuestions} ${routerQuestionQueue}`],
      }
    case 'worker': {
      const each = (area: string, every: string, one: (provider: string) => string) =>
        providers.length === 0 ? [every] : providers.map((provider) => one(subject(area, provider)))
      return {
        publish: [
          below('in'),
          below('blob'),
          oneBelow('lease'),
          oneBelow('stored'),
          ...events(role),
          below('re', 'ingress'),
          ...read('config'),
        ],
        subscribe: [
          answers,
          ...each('work', `${oneBelow('work')} ${workQueue}`, (at) => `${at} ${workQueue}`),
          ...each('ctl', below('ctl'), (at) => `${at}.>`),
          ...each('try', `${keyTrials} ${workQueue}`, (at) => `${at} ${workQueue}`),
        ],
      }
    }
    case 'telemetry':
      return {
        publish: [
          `$JS.API.CONSUMER.INFO.${eventStream}.${eventConsumer}`,
          `$JS.API.CONSUMER.MSG.NEXT.${eventStream}.${eventConsumer}`,
          `$JS.ACK.${eventStream}.${eventConsumer}.>`,
          below('re', 'ingress'),
        ],
        subscribe: [answers, `${questions} ${questionQueue}`],
      }
    // Creates the stream, its consumer and the buckets, and runs once.
    case 'setup':
      return { publish: ['$JS.API.>'], subscribe: [answers] }
  }
}

const events = (role: string): string[] => [below('evt', role)]

function read(...names: Bucket[]): string[] {
  return [
    '$JS.API.INFO',
    ...names.flatMap((name) => {
      const stream = `KV_${buckets[name]}`
      return [
        `$JS.API.STREAM.INFO.${stream}`,
        `$JS.API.STREAM.MSG.GET.${stream}`,
        `$JS.API.DIRECT.GET.${stream}`,
        `$JS.API.DIRECT.GET.${stream}.>`,
        `$JS.API.CONSUMER.CREATE.${stream}`,
        `$JS.API.CONSUMER.CREATE.${stream}.>`,
        `$JS.API.CONSUMER.DELETE.${stream}.>`,
        // Flow control of a watch.
        `$JS.FC.${stream}.>`,
      ]
    }),
  ]
}

function readAndWrite(...names: Bucket[]): string[] {
  return [...read(...names), ...names.map((name) => `$KV.${buckets[name]}.>`)]
}
