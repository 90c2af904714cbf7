// The reference at /docs in a real browser: it draws every operation, finds them, tries them out, and needs nothing from elsewhere.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, findBrowser, startBrowser } from '#test/support/browser.ts'
import { type Gateway, startGateway } from '#test/support/gateway.ts'

const binary = findBrowser()
const DRAWN = `!document.getElementById('main').hasAttribute('aria-busy')`

describe.skipIf(binary === undefined)('the reference', () => {
  let gateway: Gateway
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser(binary as string)
    gateway = await startGateway({ env: { FREEWAY_DEMO: 'on' } })
  })
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]()
    await gateway?.[Symbol.asyncDispose]()
  })

  async function open(hash = '', options = {}) {
    const page = await browser.open(`${gateway.url}/docs${hash}`, options)
    await page.until(DRAWN)
    return page
  }

  it('shows every operation of the document, under policies that let nothing else in', async () => {
    const { paths } = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as { paths: Record<string, object> }
    const page = await open()
    const drawn = await page.until<number>(`document.querySelectorAll('.operation').length`)
    expect(drawn).toBe(Object.values(paths).flatMap(Object.keys).length)
    const foreign = page.asked.filter((url) => !url.startsWith(gateway.url) && !url.startsWith('data:') && url !== 'about:blank')
    expect(foreign).toEqual([])
    expect(page.complaints).toEqual([])
  })

  it('opens an operation by its address: parameters, fields of schemas, refusals, a command line', async () => {
    const page = await open('#createChatCompletion')
    const text = await page.until<string>(`document.querySelector('#createChatCompletion[open]')?.innerText`)
    for (const part of ['POST', '/v1/chat/completions', 'x-freeway-max-wait', 'preferred_provider', 'curl -X POST', '429'])
      expect(text).toContain(part)
    await page.until(
      `[...document.querySelectorAll('#createChatCompletion details')].filter((one) => !one.open).map((one) => { one.open = true }).length`,
    )
    await page.until(`document.querySelector('#createChatCompletion').innerText.includes('rate_limit_error')`)
    await page.until(`document.querySelector('#createChatCompletion').innerText.includes('finish_reason')`)
    expect(page.complaints).toEqual([])
  })

  it('finds operations by any word', async () => {
    const page = await open()
    await page.until(
      `(() => { const box = document.getElementById('search'); box.value = 'EMBED'; box.dispatchEvent(new Event('input')); return true })()`,
    )
    expect(
      await page.until(`[...document.querySelectorAll('nav a')].filter((one) => one.checkVisibility()).map((one) => one.textContent)`),
    ).toEqual(['Embeddings'])
    await page.until(`document.getElementById('createEmbedding').checkVisibility()`)
    await page.until(`!document.getElementById('createChatCompletion').checkVisibility()`)
  })

  it('tries an operation out', async () => {
    const page = await open('#createChatCompletion')
    await page.until(`(() => { document.querySelector('#createChatCompletion .try button')?.click(); return true })()`)
    const answer = await page.until<string>(
      `(() => { const out = document.querySelector('#createChatCompletion .try pre'); return out && /choices/.test(out.textContent) && out.textContent })()`,
    )
    expect(answer).toMatch(/^200/)
    expect(page.complaints).toEqual([])
  })

  it.each([true, false])('can be read in the dark and in the light, on small screens as well (dark: %s)', async (dark) => {
    const page = await open('', { dark, width: 380 })
    const [ink, ground] = await page.until<[string, string]>(
      `(({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(document.body))`,
    )
    expect(brightness(ground) > brightness(ink)).toBe(!dark)
    expect(Math.abs(brightness(ground) - brightness(ink))).toBeGreaterThan(150)
    expect(await page.until(`document.documentElement.scrollWidth`)).toBeLessThanOrEqual(380)
  })
})

function brightness(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map(Number)
  return 0.3 * red + 0.6 * green + 0.1 * blue
}
