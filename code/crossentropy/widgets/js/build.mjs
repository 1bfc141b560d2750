// Makes the bundles: `node build.mjs FOLDER` writes <topic>.js for a live notebook, labs.js for the static page, labs.css for both.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { LABS } from "./labs.js";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const outdir = process.argv[2];
if (!outdir) throw new Error("say where the bundles are to go");
const common = { outdir, bundle: true, minify: true, charset: "utf8", target: "es2022", logLevel: "warning" };

await build({ ...common, format: "esm", entryPoints: Object.keys(LABS).map((topic) => here(`${topic}.js`)) });
// A classic script: a browser refuses a module in a page that was opened from a folder.
await build({ ...common, format: "iife", entryPoints: { labs: here("static.js") } });
await build({ ...common, entryPoints: [here("labs.css")] });
