// Builds the page and the notebook's module into cutaway/studio/static, which is committed:
// whoever installs Cutaway needs no Node. The same sources give the same bytes.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const into = join(here, "../cutaway/studio/static");
const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  legalComments: "none",
  target: ["es2022"],
  charset: "utf8",
  logLevel: "warning",
  jsx: "transform", // smaller than "automatic"
  jsxFactory: "h",
  jsxFragment: "Fragment",
  inject: [join(here, "src/jsx.ts")],
  tsconfigRaw: "{}",
};

// The licenses of what is bundled (MIT) ask that their notice travels with each copy.
const bundled = ["preact", "@preact/signals", "@preact/signals-core"];
const licenses = bundled.map((name) =>
  readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim(),
);
const owners = licenses.map((text, k) => `${bundled[k]}: ${/^Copyright.*$/m.exec(text)[0]}`);
const terms = licenses[0].slice(licenses[0].indexOf("Permission is hereby")).replace(/\s+/g, " ");
const notice = `/*! Cutaway's studio contains\n${owners.join("\n")}\nunder the MIT License: ${terms} */`;

await build({
  ...shared,
  entryPoints: { studio: "src/page.ts" },
  format: "iife",
  outdir: into,
});
// beside the page, and inside of each recording
writeFileSync(join(into, "licenses.txt"), `${notice}\n`);
await build({
  ...shared,
  entryPoints: { studio: "src/styles/studio.css" },
  outdir: into,
});
await build({
  ...shared,
  entryPoints: { widget: "src/widget.ts" },
  format: "esm",
  outdir: into,
  banner: { js: notice },
  plugins: [
    {
      // a notebook's module carries its style as text, bundled and minified as the page's is
      name: "css-text",
      setup(builder) {
        builder.onResolve({ filter: /^css-text:/ }, (found) => ({
          path: join(found.resolveDir, found.path.slice("css-text:".length)),
          namespace: "css-text",
        }));
        builder.onLoad({ filter: /.*/, namespace: "css-text" }, async (found) => {
          const made = await build({ ...shared, entryPoints: [found.path], write: false });
          return { contents: made.outputFiles[0].text, loader: "text" };
        });
      },
    },
  ],
});

const page = readFileSync(join(here, "src/index.html"), "utf8")
  .replace(/<!--[^]*?-->/g, "")
  .replace(/\n\s*/g, "\n")
  .replace(/\n+/g, "\n");
writeFileSync(join(into, "index.html"), page);

if (process.argv.includes("--sizes")) {
  let total = [0, 0];
  for (const name of ["index.html", "studio.css", "studio.js", "widget.js"]) {
    const bytes = readFileSync(join(into, name));
    const sizes = [bytes.length / 1024, gzipSync(bytes, { level: 9 }).length / 1024];
    if (name !== "widget.js") total = total.map((sum, k) => sum + sizes[k]);
    console.log(name.padEnd(12), ...sizes.map((kib) => kib.toFixed(1).padStart(7)), "KiB");
  }
  console.log("page".padEnd(12), ...total.map((kib) => kib.toFixed(1).padStart(7)), "KiB");
}
