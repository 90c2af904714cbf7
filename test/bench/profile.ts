// Pure. Reads V8's CPU profiles: which functions a process spent its time in.

/** Times in microseconds of the monotonic clock (process.hrtime); `timeDeltas[i]` lies before sample `i`. */
export interface CpuProfile {
  nodes: ProfileNode[]
  startTime: number
  endTime: number
  samples: number[]
  timeDeltas: number[]
}

interface ProfileNode {
  id: number
  callFrame: { functionName: string; url: string; lineNumber: number }
}

export interface Span {
  fromUs: number
  toUs: number
}

export interface HotFunction {
  name: string
  /** Path from the root of the project and line, or `node:…`; empty for the engine itself. */
  place: string
  selfMs: number
  /** Of the time in which the process was not idle. */
  share: number
}

/** Functions by their own time within the span, the hottest first; idle time is left out. */
export function hotFunctions(profile: CpuProfile, span: Span, root = ''): HotFunction[] {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const selfUs = new Map<string, { name: string; place: string; us: number }>()
  let busyUs = 0
  let at = profile.startTime
  profile.samples.forEach((id, i) => {
    at += profile.timeDeltas[i] ?? 0
    // What a sample saw is taken to last until the next one.
    const us = Math.max(0, profile.timeDeltas[i + 1] ?? 0)
    const node = nodes.get(id)
    if (at < span.fromUs || at >= span.toUs || !node || node.callFrame.functionName === '(idle)') return
    busyUs += us
    const { functionName, url, lineNumber } = node.callFrame
    const name = functionName || '(anonymous)'
    const place = url && `${shorten(url, root)}:${lineNumber + 1}`
    const key = `${name} ${place}`
    const seen = selfUs.get(key)
    if (seen) seen.us += us
    else selfUs.set(key, { name, place, us })
  })
  return [...selfUs.values()]
    .map(({ name, place, us }) => ({ name, place, selfMs: us / 1000, share: us / busyUs }))
    .sort((a, b) => b.selfMs - a.selfMs)
}

/** The same time by part of the house, by package or by what the runtime brings, the hottest first. */
export function byPart(hot: HotFunction[]): { part: string; selfMs: number; share: number }[] {
  const parts = Map.groupBy(hot, ({ place }) => partOf(place))
  return [...parts]
    .map(([part, functions]) => ({
      part,
      selfMs: functions.reduce((sum, { selfMs }) => sum + selfMs, 0),
      share: functions.reduce((sum, { share }) => sum + share, 0),
    }))
    .sort((a, b) => b.selfMs - a.selfMs)
}

function partOf(place: string): string {
  if (place === '') return 'engine and system calls'
  if (place.startsWith('node:') || place.startsWith('wasm:')) return place.slice(0, 5)
  const segments = place.replace(/:\d+$/, '').split('/')
  // A package with a scope has a name of two segments.
  return segments.slice(0, segments[1]?.startsWith('@') ? 3 : 2).join('/')
}

function shorten(url: string, root: string): string {
  const path = url.replace(/^file:\/\//, '')
  return root && path.startsWith(root) ? path.slice(root.length).replace(/^\//, '') : path
}
