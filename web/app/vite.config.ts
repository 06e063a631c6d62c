import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const server = `http://127.0.0.1:${process.env["HEADWATER_PORT"] ?? "8443"}`;

/** Built into the Python package, which serves it; `npm run dev` forwards to a running server instead. */
export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    outDir: "../../python/headwater/_web",
    emptyOutDir: true,
    // The content security policy allows this origin's files only: no data: URLs.
    assetsInlineLimit: 0,
    rollupOptions: {
      // Where the player's build puts the same file.
      output: { chunkFileNames: ({ name }) => `${name === "hls" ? "player" : "assets"}/[name]-[hash].js` },
    },
  },
  server: {
    proxy: {
      "/meetings": server,
      "/channels": server,
      "/hls": server,
      "/whip": server,
      "/whep": server,
      "/signaling": { target: server.replace("http", "ws"), ws: true },
    },
  },
});
