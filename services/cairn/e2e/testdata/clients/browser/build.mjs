// Bundles the scripts beside this file for a browser. usage: node build.mjs OUTPUT_FOLDER
import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'

const script = (name) => fileURLToPath(new URL(name, import.meta.url))
await build({
  entryPoints: ['segment.js', 'posthog.js', 'snowplow.js'].map(script),
  outdir: process.argv[2], bundle: true, format: 'esm', target: 'es2022', charset: 'utf8', logLevel: 'warning',
})
