import { defineConfig, type Plugin } from "vite";

/**
 * Puts script and style into the page, so that a report is one file, and forbids it
 * everything else: no network, and no script but this one, whatever texts it shows.
 */
function oneFile(): Plugin {
  return {
    name: "one-file",
    enforce: "post",
    async generateBundle(_options, bundle) {
      const page = bundle["index.html"];
      if (page?.type !== "asset") throw new Error("the report has no page");
      let script = "";
      let style = "";
      for (const [name, file] of Object.entries(bundle)) {
        if (file === page) continue;
        if (file.type === "chunk") script += file.code;
        else style += String(file.source);
        delete bundle[name];
      }
      // Neither may end its element early; in scripts such text stands inside strings and patterns alone.
      script = script.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
      if (style.includes("</style")) throw new Error("the style sheet ends its element");
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script));
      const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
      const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`;
      page.source = String(page.source)
        .replace(/\s*<script type="module"[^>]*><\/script>/, "")
        .replace(/\s*<link rel="stylesheet"[^>]*>/, "")
        .replace("<title>", () => `<meta http-equiv="Content-Security-Policy" content="${policy}" />\n    <title>`)
        .replace("</head>", () => `<style>${style}</style>\n  </head>`)
        .replace("</body>", () => `<script type="module">${script}</script>\n  </body>`);
    },
  };
}

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    assetsInlineLimit: Number.MAX_SAFE_INTEGER,
    cssCodeSplit: false,
    modulePreload: false,
    chunkSizeWarningLimit: 1000,
  },
  plugins: [oneFile()],
});
