import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

/**
 * The player for other sites: `/player.js`, a line at an address that never changes, and what it fetches, named by
 * content. Built after the app, into the same place.
 */
export default defineConfig({
  plugins: [svelte(), stylesInside()],
  base: "./",
  publicDir: false,
  build: {
    target: "es2022",
    outDir: "../../python/headwater/_web",
    emptyOutDir: false,
    reportCompressedSize: false,
    modulePreload: false,
    cssCodeSplit: false,
    rollupOptions: {
      input: { player: "src/player/index.ts", embed: "src/player/embed.ts" },
      preserveEntrySignatures: "strict",
      output: { entryFileNames: "[name].js", chunkFileNames: "player/[name]-[hash].js" },
    },
  },
});

/** Puts all styles into the code, where `src/player/styles.ts` waits for them. */
function stylesInside(): Plugin {
  return {
    name: "styles-inside",
    enforce: "post",
    generateBundle(_options, bundle) {
      let styles = "";
      for (const [name, file] of Object.entries(bundle)) {
        if (file.type !== "asset" || !name.endsWith(".css")) continue;
        styles += String(file.source);
        Reflect.deleteProperty(bundle, name);
      }
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") file.code = file.code.replace(/(["'`])__PLAYER_STYLES__\1/, () => JSON.stringify(styles));
      }
    },
  };
}
