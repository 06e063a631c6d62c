import { defineConfig } from "vite";

/** One ES module, so that the bundle budget (scripts/size.mjs) has one number to look at. */
export default defineConfig({
  build: {
    target: "es2022",
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "headwater-client" },
    reportCompressedSize: false,
  },
});
