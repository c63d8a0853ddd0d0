import { defineConfig } from "vite";

// Relative addresses, so that the page also works behind a proxy's path prefix;
// nothing inline, so that it passes a strict content security policy.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ["index.html", "sign-in.html"] },
  },
  server: {
    proxy: { "/api": "http://127.0.0.1:8080" },
  },
});
