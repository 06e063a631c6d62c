/**
 * The client's bundle budget: what a page pays to join a meeting, minified and gzipped. Run after
 * the build.
 */
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const budget = 40 * 1024;

const bytes = gzipSync(await readFile(new URL("../dist/headwater-client.js", import.meta.url)), { level: 9 }).length;
console.log(`@headwater/client: ${(bytes / 1024).toFixed(1)} KB gzip of ${budget / 1024} KB`);
if (bytes > budget) {
  console.error("over the bundle budget");
  process.exit(1);
}
