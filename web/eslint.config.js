/**
 * Types and layers: the app sees the client's index and nothing else of it, the client does not know
 * that an app exists, and nobody has default exports (Svelte components and tool configurations are
 * made that way and stay out of the rule).
 */
import { createTypeScriptImportResolver } from "eslint-import-resolver-typescript";
import importX from "eslint-plugin-import-x";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript-eslint";
import svelteConfig from "./app/svelte.config.js";

const root = dirname(fileURLToPath(import.meta.url));

export default ts.config(
  { ignores: ["**/dist/", "**/node_modules/", "client/src/generated/"] },
  ...ts.configs.strictTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: { ...globals.browser },
      parserOptions: { projectService: true, tsconfigRootDir: root, extraFileExtensions: [".svelte"] },
    },
    plugins: { "import-x": importX },
    settings: {
      "import-x/resolver-next": [createTypeScriptImportResolver({ project: ["client/tsconfig.json", "app/tsconfig.json"], noWarnOnMultipleProjects: true })],
      "import-x/extensions": [".ts", ".svelte"],
      "import-x/parsers": { "@typescript-eslint/parser": [".ts"] },
      // Looked at by svelte-check; import-x cannot parse them.
      "import-x/ignore": ["\\.svelte$"],
    },
    rules: {
      "@typescript-eslint/consistent-type-definitions": ["error", "type"],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "import-x/no-cycle": ["error", { ignoreExternal: true }],
      "import-x/no-default-export": "error",
      "import-x/no-restricted-paths": [
        "error",
        {
          basePath: root,
          zones: [
            {
              target: "./app/src",
              from: "./client/src",
              except: ["./index.ts"],
              message: "The app uses @headwater/client by its public entry only.",
            },
            { target: "./client/src", from: "./app", message: "The client knows of no app." },
            { target: "./client/src", from: "./node_modules/svelte", message: "No framework in the client." },
          ],
        },
      ],
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
    rules: {
      // $state and $props are declared with let; $derived in a class is assigned once.
      "prefer-const": "off",
      // What comes out of another .svelte file has no type here; svelte-check looks at those.
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-redundant-type-constituents": "off",
      // Rendering depends on few things here, and those say so; the rest are plain collections.
      "svelte/prefer-svelte-reactivity": "off",
      "svelte/no-navigation-without-resolve": "off",
    },
  },
  { files: ["**/*.svelte"], rules: { "import-x/no-default-export": "off" } },
  {
    files: ["**/*.config.{js,ts}", "**/scripts/**"],
    languageOptions: { globals: { ...globals.node } },
    rules: { "import-x/no-default-export": "off" },
  },
  {
    files: ["**/*.{js,mjs}", "**/*.config.ts"],
    ...ts.configs.disableTypeChecked,
    languageOptions: { parserOptions: { projectService: false, project: null } },
  },
  {
    files: ["**/*.test.ts"],
    rules: { "@typescript-eslint/no-non-null-assertion": "off", "@typescript-eslint/unbound-method": "off" },
  },
);
