// Sign-up, check-in and reset as commands at Discord: a command opens a form with a question, and what comes back is answered in a
// message that nobody else sees.

import type { z } from 'zod'
import type { Account } from '#contracts/account.ts'
import { FreewayError } from '#contracts/failure.ts'
import { InvalidJson, parseJson } from '#contracts/json.ts'
import { hashOfKey } from '#services/client-key.ts'
import type { DiscordSettings } from '#services/discord-settings.ts'
import type { Logger } from '#services/logger.ts'
import { createThrottle } from '../access/throttle.ts'
import type { AccessAdmin } from '../admin/changing.ts'
import { checked } from '../admin/json-body.ts'
import { readBody } from '../front.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import type { Challenges } from './challenges.ts'
import { answerForm, MAX_FORM_BYTES, resetForm, signUpForm } from './forms.ts'
import type { Field } from './interaction.ts'
import { type deferred, form, type Interaction, isFromDiscord, message, pong, readInteraction, type Sender } from './interaction.ts'
import { type LateAnswers, soon } from './late-answers.ts'
import type { Hand, Members } from './members.ts'
import type { Roster } from './roster.ts'
import * as said from './said.ts'

/** Per minute and user. */
const COMMANDS = 20

export interface DiscordFaceOptions {
  admin: AccessAdmin
  members: Members
  challenges: Challenges
  roster: Roster
  settings: DiscordSettings
  lateAnswers: LateAnswers
  logger: Logger
}

type Reply = ReturnType<typeof message> | ReturnType<typeof form> | typeof deferred

interface Command {
  /** What stands in the way of it, before anything is asked. Throws FreewayError. */
  begin(sender: Sender): { title: string; fields: Field[] }
  /** In words, what came of it. Throws FreewayError. */
  finish(sender: Sender, fields: Record<string, string>, hand: Hand): Promise<string>
}

export function discordRoutes({ admin, members, challenges, roster, settings, lateAnswers, logger }: DiscordFaceOptions): Route[] {
  const { accounts } = admin
  const throttle = createThrottle({ fromThe: COMMANDS + 1, overall: false })

  const commands: Readonly<Record<string, Command>> = {
    signup: {
      begin({ id }) {
        members.mustBeOn('signup')
        members.mustBeNew(id)
        return {
          title: 'Get a key',
          fields: [
            { id: 'use_case', label: 'What is the key for?', description: 'A sentence or two.', long: true, minLength: 12, maxLength: 500 },
            { id: 'bot_disclosure', label: 'Will a bot use it?', description: 'No, or which one.', minLength: 2, maxLength: 200 },
          ],
        }
      },
      async finish({ id, username, roles }, fields, hand) {
        const newcomer = { owner: id, name: username.slice(0, 64) || id, standing: roster.standingOf(roles) }
        const { key } = await members.signUp(newcomer, filled(signUpForm, fields), hand)
        return said.signedUp(key, admin.policy.settings.checkin_required)
      },
    },
    checkin: {
      begin() {
        members.mustBeOn('checkin')
        return { title: 'Check in for today', fields: [{ id: 'key', label: 'Your API key', maxLength: 200 }] }
      },
      async finish({ id }, fields, hand) {
        const account = accounts.find(hashOfKey((fields.key ?? '').trim()))
        if (!account || account.owner !== id)
          throw new FreewayError('invalid_api_key', 'this is not a key of yours: send the one from /signup or /resetkey')
        return said.checkedIn(await members.checkIn(account, filled(answerForm, fields), hand))
      },
    },
    resetkey: {
      begin({ id }) {
        members.mustBeOn('resetkey')
        ownKey(id)
        return {
          title: 'Replace your key',
          fields: [
            {
              id: 'reason',
              label: 'Why does it have to be replaced?',
              description: 'The old key dies.',
              long: true,
              minLength: 12,
              maxLength: 500,
            },
          ],
        }
      },
      async finish({ id }, fields, hand) {
        const { key } = await members.resetKey(ownKey(id), filled(resetForm, fields), hand)
        return said.reset(key)
      },
    },
  }

  return [{ method: 'POST', path: '/discord/interactions', access: 'public', handle: interact }]

  async function interact(request: Request): Promise<Response> {
    const body = await readBody(request, MAX_FORM_BYTES)
    if (!(await isFromDiscord(request.headers, body, settings.publicKey, admin.now()))) {
      throw new FreewayError('invalid_api_key', 'invalid request signature')
    }
    const interaction = readInteraction(parsed(body))
    if (!interaction) throw new FreewayError('invalid_request_error', 'unknown kind of interaction')
    return json(interaction.kind === 'ping' ? pong : await answer(interaction, request))
  }

  async function answer(interaction: Exclude<Interaction, { kind: 'ping' }>, request: Request): Promise<Reply> {
    const { sender } = interaction
    if (sender?.applicationId !== settings.applicationId || sender.guildId !== settings.guildId) return message(said.ELSEWHERE)
    const [name = '', challenge_id = ''] = interaction.kind === 'command' ? [interaction.name] : interaction.id.split(' ')
    const command = Object.hasOwn(commands, name) ? (commands[name] as Command) : undefined
    if (!command) return message(said.UNKNOWN)
    const inWords = (error: unknown): string => {
      if (!(error instanceof FreewayError)) logger.error('a command at Discord failed', { command: name, error })
      return said.failed(error, name)
    }
    if (interaction.kind === 'form') {
      const hand = { request, holder: holderOf(sender), actor: `discord ${sender.id}` }
      const finished = met(sender).then(() => command.finish(sender, { ...interaction.fields, challenge_id }, hand))
      return lateAnswers.inTime(interaction.token, finished.catch(inWords))
    }
    try {
      // A form cannot come later. What is not known by then is known when the form is sent in.
      await soon(met(sender))
      const { title, fields } = command.begin(sender)
      const { id, question } = challenges.issue(holderOf(sender))
      return form(`${name} ${id}`, title, [...fields, { id: 'answer', label: 'Are you human?', description: question, maxLength: 50 }])
    } catch (error) {
      return message(inWords(error))
    }
  }

  /** Takes over what Discord tells of whoever gives a command. Rejects with FreewayError if nothing is for them. */
  async function met({ id, roles }: Sender): Promise<void> {
    if (throttle.note(id, admin.now()) > 0) throw new FreewayError('rate_limit_error', 'slow down: try again in a minute')
    if (accounts.ownedBy(id).some(({ paused }) => paused)) throw new FreewayError('user_paused', 'your account is paused by the staff')
    await roster.take(id, roles)
  }

  /** The first, where the staff has given somebody several. Throws FreewayError. */
  function ownKey(id: string): Account {
    const [first] = accounts.ownedBy(id)
    if (first) return first
    throw new FreewayError('invalid_request_error', 'you have no key yet: get one with /signup', { status: 404 })
  }
}

/** So that nobody answers for somebody else. */
function holderOf({ id }: Sender): string {
  return `discord ${id}`
}

function filled<T>(schema: z.ZodType<T>, fields: Record<string, string>): T {
  return checked(schema, fields)
}

function parsed(body: Uint8Array): unknown {
  try {
    return parseJson(body)
  } catch (error) {
    if (error instanceof InvalidJson) throw new FreewayError('invalid_request_error', error.message)
    throw error
  }
}
