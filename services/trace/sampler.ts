// Pure. Which requests are traced: the choices of OTEL_TRACES_SAMPLER, made where a request comes in and followed everywhere else.

import { SettingsError } from '../settings-error.ts'

export interface SamplingRule {
  /** Share of the requests, from 0 to 1. */
  ratio: number
  /** Whether the caller's own choice goes first, where it has made one. */
  parentBased: boolean
}

const samplers: Record<string, (ratio: number) => SamplingRule> = {
  always_on: () => ({ ratio: 1, parentBased: false }),
  always_off: () => ({ ratio: 0, parentBased: false }),
  traceidratio: (ratio) => ({ ratio, parentBased: false }),
  parentbased_always_on: () => ({ ratio: 1, parentBased: true }),
  parentbased_always_off: () => ({ ratio: 0, parentBased: true }),
  parentbased_traceidratio: (ratio) => ({ ratio, parentBased: true }),
}

/** From OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG; all requests where nothing is said. Throws SettingsError. */
export function samplingRule(sampler: string | undefined, arg: string | undefined): SamplingRule {
  const name = sampler || 'parentbased_traceidratio'
  const rule = Object.hasOwn(samplers, name) ? samplers[name] : undefined
  if (!rule) throw new SettingsError(`OTEL_TRACES_SAMPLER: expected one of ${Object.keys(samplers).join(', ')}`)
  const ratio = arg ? Number(arg) : 1
  if (!(ratio >= 0 && ratio <= 1)) throw new SettingsError('OTEL_TRACES_SAMPLER_ARG: expected a share from 0 to 1, e.g. 0.1')
  return rule(ratio)
}

/**
 * By the last 56 bits of the trace id, as OpenTelemetry's consistent sampling has it: a collector with the same share keeps the same
 * traces. Of these, the upper 52: a number holds them exactly.
 */
export function isSampled({ ratio, parentBased }: SamplingRule, traceId: string, parentSampled: boolean | undefined): boolean {
  if (parentBased && parentSampled !== undefined) return parentSampled
  return Number.parseInt(traceId.slice(-14, -1), 16) >= (1 - ratio) * 2 ** 52
}
