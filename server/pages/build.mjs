// Makes built/ from source/: `npm run build`; with a folder as argument, there instead.
// Names are stable and the same source gives the same bytes, so that a test can compare them.
import { build } from 'esbuild'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const home = fileURLToPath(new URL('.', import.meta.url))
const folder = process.argv[2] ?? home + 'built'

await rm(folder, { recursive: true, force: true })
await build({
  absWorkingDir: home,
  entryPoints: { pages: 'source/main.ts', worker: 'source/worker.ts', style: 'source/style/style.css', icon: 'source/icon.svg' },
  outdir: folder,
  bundle: true,
  splitting: true,
  format: 'esm',
  target: ['es2022', 'safari16.4'],
  minify: true,
  legalComments: 'none',
  charset: 'utf8',
  chunkNames: '[name]-[hash]',
  alias: { '@codemirror/lang-html': './source/editor/no-html.ts' },
  loader: { '.svg': 'copy' },
  assetNames: '[name]',
  logLevel: 'warning',
})
