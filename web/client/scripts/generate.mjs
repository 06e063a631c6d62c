/**
 * Writes src/generated/signaling.ts from schema/signaling.schema.json (itself generated from the
 * server's messages.py), so that a message is described once. With --check nothing is written and
 * the exit code says whether the committed file is the one the schema gives.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";

const schemaFile = process.env.HEADWATER_SIGNALING_SCHEMA
  ?? fileURLToPath(new URL("../../../schema/signaling.schema.json", import.meta.url));
const target = fileURLToPath(new URL("../src/generated/signaling.ts", import.meta.url));

const banner = `/**
 * The messages of /signaling/join. Generated from schema/signaling.schema.json by
 * \`npm run generate\`; do not edit.
 */
`;

const schema = JSON.parse(await readFile(schemaFile, "utf8"));
const defs = schema.$defs ?? {};
for (const name of ["ClientMessage", "ServerMessage"]) {
  if (!defs[name]) throw new Error(`${schemaFile}: $defs.${name} is missing`);
}

const text = await compile(withoutFieldTitles({ $defs: defs }), "Unused", {
  additionalProperties: false,
  bannerComment: banner,
  format: true,
  style: { printWidth: 110 },
  unreachableDefinitions: true,
});
const output = readonlyFields(text.replace(/export interface Unused \{[^}]*\}\n+/, "")).trimStart();

if (process.argv.includes("--check")) {
  const current = await readFile(target, "utf8").catch(() => "");
  if (current !== output) {
    console.error("src/generated/signaling.ts does not match the schema: run `npm run generate` in web/");
    process.exit(1);
  }
} else {
  await writeFile(target, output);
}

/** A title on a field would become a type of its own; titles of whole messages are their names. */
function withoutFieldTitles(root) {
  for (const [name, definition] of Object.entries(root.$defs)) {
    definition.title = name;
    for (const field of Object.values(definition.properties ?? {})) delete field.title;
    stripComments(definition);
  }
  return root;
}

/** Sentences that json-schema-to-typescript adds about $defs say nothing to a reader of types. */
function stripComments(definition) {
  delete definition.$comment;
}

/** Messages are values: nobody changes them after they are made. */
function readonlyFields(source) {
  return source
    .replace(/^ {2}(\w+\??:)/gm, "  readonly $1")
    .replace(/: (\w+|\{[^{}]*\})\[\]/g, ": readonly $1[]")
    .replace(/\/\*\*\n \* This interface was referenced by `[^`]*`'s JSON-Schema\n \* via the `definition` "[^"]*"\.\n \*\/\n/g, "")
    .replace(/\n \*\n \* This interface was referenced by `[^`]*`'s JSON-Schema\n \* via the `definition` "[^"]*"\./g, "");
}
