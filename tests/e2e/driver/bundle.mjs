/**
 * Writes one page script with its libraries to stdout, as an application's own build would.
 *
 * Usage: node bundle.mjs /path/to/web/package.json entry.js library...
 */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";

const [manifest, entry, ...libraries] = process.argv.slice(2);
const require = createRequire(manifest);
const { build } = await import(pathToFileURL(require.resolve("vite")).href);

const output = await build({
  configFile: false,
  root: dirname(manifest),
  logLevel: "error",
  define: { "process.env.NODE_ENV": '"production"' },
  resolve: { alias: Object.fromEntries(libraries.map((name) => [name, require.resolve(name)])) },
  build: { write: false, minify: false, lib: { entry, formats: ["es"], fileName: "page" } },
});
const [{ code }] = [output].flat()[0].output;
process.stdout.write(code);
