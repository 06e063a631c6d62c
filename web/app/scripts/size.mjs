/**
 * The player's bundle budget: what a page of another site pays to show it, minified and gzipped; without hls.js,
 * which is fetched by who needs it. Run after the build.
 */
import { readdir, readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const budget = 40 * 1024;
const web = new URL("../../../python/headwater/_web/", import.meta.url);

const parts = (await readdir(new URL("player/", web))).filter((name) => !name.startsWith("hls")).map((name) => `player/${name}`);
let bytes = 0;
for (const name of ["player.js", ...parts]) bytes += gzipSync(await readFile(new URL(name, web)), { level: 9 }).length;
console.log(`player.js: ${(bytes / 1024).toFixed(1)} KB gzip of ${budget / 1024} KB`);
if (bytes > budget) {
  console.error("over the bundle budget");
  process.exit(1);
}
