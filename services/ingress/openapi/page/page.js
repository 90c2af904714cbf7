// Draws openapi.json. Every text goes in as text, never as markup.

const main = document.getElementById('main')
const contents = document.getElementById('contents')
const search = document.getElementById('search')
const methods = ['get', 'post', 'put', 'patch', 'delete']
/** The key that was typed in, for this page only: it is kept nowhere. */
let key = ''
let api

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(attribute, value)
    else if (value !== undefined && value !== false) made.setAttribute(attribute, value === true ? '' : value)
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== ''))
  return made
}

/** Text in which `this` is code and an empty line begins a paragraph. */
function prose(text = '') {
  return text.split('\n\n').map((paragraph) =>
    element(
      'p',
      {},
      paragraph.split('`').map((part, i) => (i % 2 === 1 ? element('code', {}, part) : part)),
    ),
  )
}

function resolved(value) {
  let found = value
  while (found?.$ref)
    found = found.$ref
      .slice(2)
      .split('/')
      .reduce((at, step) => at?.[step.replaceAll('~1', '/').replaceAll('~0', '~')], api)
  return found ?? {}
}

const nameOf = (schema) => schema?.$ref?.split('/').at(-1)

function typeOf(schema = {}) {
  if (schema.$ref) return nameOf(schema)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return [...new Set(choices.map(typeOf))].join(' | ')
  if (schema.allOf) return schema.allOf.map(typeOf).join(' & ')
  if (schema.type === 'array') return `${/[|&]/.test(typeOf(schema.items)) ? `(${typeOf(schema.items)})` : typeOf(schema.items)}[]`
  return [schema.format === 'binary' ? 'file' : (schema.type ?? 'any')].flat().join(' | ')
}

const bounds = {
  default: 'default',
  minimum: 'at least',
  maximum: 'at most',
  minLength: 'characters at least',
  maxLength: 'characters at most',
  minItems: 'entries at least',
  maxItems: 'entries at most',
  pattern: 'matches',
}

function boundsOf(schema) {
  return Object.entries(bounds)
    .filter(([keyword]) => schema[keyword] !== undefined)
    .map(([keyword, words]) => `${words} ${JSON.stringify(schema[keyword])}`)
    .join(', ')
}

/** The schemas inside of it whose fields a reader may want to see. */
function partsOf(schema) {
  const found = resolved(schema)
  if (Object.keys(found.properties ?? {}).length > 0) return [found]
  const inner = [found.anyOf, found.oneOf, found.allOf, found.items, found.additionalProperties].flat()
  return inner.filter((one) => typeof one === 'object').flatMap(partsOf)
}

function fieldsOf(schema) {
  const required = new Set(schema.required ?? [])
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const known = resolved(field)
    const said = [element('code', {}, name), ' ', element('span', { class: 'faint' }, typeOf(field))]
    if (required.has(name)) said.push(' ', element('span', { class: 'required' }, 'required'))
    const limits = boundsOf(known)
    if (limits) said.push(' ', element('span', { class: 'faint' }, `(${limits})`))
    return element('li', {}, said, prose(field.description ?? known.description), more(field))
  })
  return element('ul', { class: 'fields' }, rows)
}

/** Drawn when it is opened: schemas may hold themselves. */
function more(schema, open = false) {
  const parts = partsOf(schema)
  if (parts.length === 0) return undefined
  const draw = () => parts.map(fieldsOf)
  if (open) return element('div', {}, draw())
  const box = element('details', {}, element('summary', { class: 'faint' }, nameOf(schema) ?? 'fields'))
  box.addEventListener('toggle', () => box.append(...draw()), { once: true })
  return box
}

function contentView(content = {}, open = false) {
  return Object.entries(content).flatMap(([type, { schema, example }]) => [
    element('p', {}, element('code', {}, type), ' ', element('span', { class: 'faint' }, schema ? typeOf(schema) : '')),
    schema ? more(schema, open) : undefined,
    example === undefined ? undefined : element('pre', {}, sample(type, example)),
  ])
}

function sample(type, example) {
  if (type === 'text/event-stream') return `data: ${JSON.stringify(example)}\n\n…`
  return typeof example === 'string' ? example : JSON.stringify(example, null, 2)
}

function exampleOf(operation) {
  const json = operation.requestBody?.content['application/json']
  return json?.example === undefined ? '' : JSON.stringify(json.example, null, 2)
}

function headersOf(operation) {
  const [scheme] = operation.security
  if (!scheme) return {}
  const { type, name } = api.components.securitySchemes[Object.keys(scheme)[0]]
  return type === 'http' ? { authorization: `Bearer ${key || '$KEY'}` } : { [name]: key || '$KEY' }
}

function curl(method, path, operation) {
  const body = exampleOf(operation)
  return [
    `curl ${method === 'get' ? '' : `-X ${method.toUpperCase()} `}'${location.origin}${path}'`,
    ...Object.entries(headersOf(operation)).map(([name, value]) => `-H "${name}: ${value}"`),
    ...(body ? ["-H 'content-type: application/json'", `-d '${body.replaceAll("'", "'\\''")}'`] : []),
  ].join(' \\\n  ')
}

/** Sends the request from here and shows what comes, also while it is coming. */
function tryOut(method, path, operation) {
  const address = element('input', { value: path, 'aria-label': 'Path', spellcheck: 'false' })
  const secret = element('input', { type: 'password', placeholder: 'Key', 'aria-label': 'Key', autocomplete: 'off', value: key })
  const body = exampleOf(operation)
  const text = element('textarea', { 'aria-label': 'Body', spellcheck: 'false' }, body)
  const out = element('pre', { hidden: true })
  async function send() {
    key = secret.value
    out.hidden = false
    out.textContent = '…'
    try {
      const headers = key ? headersOf(operation) : {}
      const init = body ? { body: text.value, headers: { ...headers, 'content-type': 'application/json' } } : { headers }
      const response = await fetch(address.value, { method: method.toUpperCase(), ...init })
      out.textContent = `${response.status} ${response.statusText}\n\n`
      const json = /json/.test(response.headers.get('content-type') ?? '')
      if (json) out.textContent += JSON.stringify(await response.json(), null, 2)
      else for await (const part of response.body.pipeThrough(new TextDecoderStream())) out.textContent += part
    } catch (error) {
      out.textContent = String(error)
    }
  }
  const bar = element(
    'div',
    { class: 'bar' },
    address,
    operation.security.length > 0 ? secret : '',
    element('button', { click: send }, 'Send'),
  )
  return element('div', { class: 'try' }, bar, body ? text : '', out)
}

function parametersView(parameters = []) {
  const rows = parameters
    .map(resolved)
    .map(({ name, in: place, required, description, schema }) =>
      element(
        'li',
        {},
        element('code', {}, name),
        ' ',
        element('span', { class: 'faint' }, `${place}, ${typeOf(schema)}${boundsOf(schema) ? `, ${boundsOf(schema)}` : ''}`),
        required ? element('span', { class: 'required' }, ' required') : '',
        prose(description),
      ),
    )
  return rows.length === 0 ? [] : [element('h3', {}, 'Parameters'), element('ul', { class: 'fields' }, rows)]
}

function responsesView(responses) {
  return Object.entries(responses).map(([status, response]) => {
    const { description, content } = resolved(response)
    const box = element(
      'details',
      {},
      element(
        'summary',
        {},
        element('code', {}, status),
        ' ',
        prose(description).flatMap((p) => [...p.childNodes]),
      ),
    )
    box.addEventListener('toggle', () => box.append(...contentView(content, Number(status) < 300).filter(Boolean)), { once: true })
    return box
  })
}

function access({ security }) {
  const names = security.flatMap((scheme) => Object.keys(scheme))
  if (names.length === 0) return 'Open to everybody.'
  return `Needs one of: ${names.map((name) => `\`${name}\``).join(', ')}.`
}

function details(method, path, operation) {
  const { requestBody: body } = operation
  return [
    prose(operation.description),
    prose(access(operation)),
    parametersView(operation.parameters),
    body ? [element('h3', {}, 'Request'), prose(body.description), contentView(body.content, true)] : [],
    element('h3', {}, 'Responses'),
    responsesView(operation.responses),
    element('h3', {}, 'Example'),
    element('pre', {}, curl(method, path, operation)),
    element('h3', {}, 'Try it'),
    tryOut(method, path, operation),
  ].flat(3)
}

function operationView({ method, path, operation }) {
  const head = element(
    'summary',
    {},
    element('span', { class: `method ${method}` }, method.toUpperCase()),
    element('span', { class: 'path' }, path),
    element('span', { class: 'faint' }, operation.summary),
  )
  const box = element('details', { class: 'operation', id: operation.operationId }, head)
  box.addEventListener('toggle', () => box.append(...details(method, path, operation).filter(Boolean)), { once: true })
  return box
}

function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (!target) return
  target.open = true
  target.scrollIntoView()
}

function filter(entries) {
  const words = search.value.toLowerCase().split(/\s+/)
  for (const { text, shown } of entries) {
    const fits = words.every((word) => text.includes(word))
    for (const one of shown) one.hidden = !fits
  }
  for (const group of document.querySelectorAll('[data-group]'))
    group.hidden = !group.querySelector('a:not([hidden]), .operation:not([hidden])')
}

function draw() {
  document.getElementById('version').textContent = api.info.version
  main.replaceChildren(...prose(api.info.description))
  const all = Object.entries(api.paths).flatMap(([path, item]) =>
    methods.filter((method) => item[method]).map((method) => ({ method, path, operation: item[method] })),
  )
  const entries = []
  for (const { name, description } of api.tags) {
    const group = element('section', { 'data-group': true }, element('h2', {}, name), prose(description))
    const links = element('div', { 'data-group': true }, element('h3', {}, name))
    for (const one of all.filter(({ operation }) => operation.tags.includes(name))) {
      const link = element('a', { href: `#${one.operation.operationId}` }, one.operation.summary)
      const view = operationView(one)
      const text = `${one.method} ${one.path} ${one.operation.summary} ${one.operation.description ?? ''} ${name}`.toLowerCase()
      entries.push({ text, shown: [link, view] })
      links.append(link)
      group.append(view)
    }
    contents.append(links)
    main.append(group)
  }
  search.addEventListener('input', () => filter(entries))
  addEventListener('hashchange', follow)
  follow()
  main.removeAttribute('aria-busy')
}

try {
  const response = await fetch('openapi.json')
  if (!response.ok) throw new Error(`openapi.json: status ${response.status}`)
  api = await response.json()
  draw()
} catch (error) {
  main.replaceChildren(element('p', {}, `The description could not be loaded: ${error.message}`))
  main.removeAttribute('aria-busy')
}
