// One timer that goes off at the earliest of the times it was asked for.

export interface Alarm {
  readonly isSet: boolean
  in(delayMs: number): void
  clear(): void
}

export function createAlarm(goOff: () => void): Alarm {
  let timer: ReturnType<typeof setTimeout> | undefined
  let atMs = Number.POSITIVE_INFINITY

  function clear(): void {
    clearTimeout(timer)
    timer = undefined
    atMs = Number.POSITIVE_INFINITY
  }

  return {
    get isSet() {
      return timer !== undefined
    },
    in(delayMs) {
      const wantedMs = performance.now() + delayMs
      if (atMs <= wantedMs) return
      clear()
      atMs = wantedMs
      timer = setTimeout(() => {
        clear()
        goOff()
      }, delayMs)
    },
    clear,
  }
}
