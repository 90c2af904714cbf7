// The part of undici that workers use, typed by the package itself.

declare module 'undici/lib/dispatcher/pool.js' {
  import { Pool } from 'undici'

  // biome-ignore lint/style/noDefaultExport: the module is CommonJS and exports the class itself.
  export default Pool
}
