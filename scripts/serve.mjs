// @ts-check
// A server of folders on this machine, for pages and their tests.
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.map': 'application/json',
}

/**
 * The file that an address stands for, or undefined.
 * @param {Readonly<Record<string, string>>} folders
 * @param {string} path
 */
function fileOf(folders, path) {
  for (const [prefix, folder] of Object.entries(folders)) {
    if (!path.startsWith(prefix)) continue
    const file = join(folder, normalize(`/${path.slice(prefix.length)}`))
    const inside = file.startsWith(folder + sep)
    return inside && existsSync(file) && statSync(file).isFile() ? file : undefined
  }
  return undefined
}

/**
 * Serves folders to this machine alone.
 * @param {Readonly<Record<string, string>>} folders  beginning of the address, such as `/data/` -> folder; the first that fits counts
 * @param {{ port?: number, isolated?: boolean }} [options]
 *   `port`: any free one by default; `isolated`: pages share memory with their workers, and with nobody else
 * @returns {Promise<{ url: string, close: () => void }>}
 */
export function serveFolders(folders, { port = 0, isolated = true } = {}) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const file = fileOf(folders, pathname === '/' ? '/index.html' : decodeURIComponent(pathname))
    const type = types[/** @type {keyof typeof types} */ (extname(file ?? ''))]
    response.writeHead(file === undefined ? 404 : 200, {
      'Content-Type': type ?? 'application/octet-stream',
      ...(isolated && {
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Embedder-Policy': 'require-corp',
      }),
    })
    if (file === undefined) response.end()
    else createReadStream(file).pipe(response)
  })
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      const taken = typeof address === 'object' && address !== null ? address.port : port
      const close = () => {
        server.close()
        server.closeAllConnections()
      }
      resolve({ url: `http://127.0.0.1:${taken}/`, close })
    })
  })
}
