import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte({ configFile: false })],
  test: {
    environment: "node",
    include: ["client/src/**/*.test.ts", "app/src/**/*.test.ts"],
  },
});
