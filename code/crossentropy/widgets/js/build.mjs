// Makes the bundles: `node build.mjs FOLDER` writes <topic>.js for a live notebook, labs.js for the static page and
// labs.css for both, and prints, as JSON, which sources went into each.
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { LABS } from "./labs.js";

const here = dirname(fileURLToPath(import.meta.url));
const outdir = process.argv[2];
if (!outdir) throw new Error("say where the bundles are to go");
const common = { outdir, bundle: true, minify: true, charset: "utf8", target: "es2022", logLevel: "warning", metafile: true };

const made = await Promise.all([
  build({ ...common, format: "esm", entryPoints: Object.keys(LABS).map((topic) => `${here}/${topic}.js`) }),
  // A classic script: a browser refuses a module in a page that was opened from a folder.
  build({ ...common, format: "iife", entryPoints: { labs: `${here}/static.js` } }),
  build({ ...common, entryPoints: [`${here}/labs.css`] }),
]);
const outputs = made.flatMap(({ metafile }) => Object.entries(metafile.outputs));
const sources = outputs.map(([path, { inputs }]) => [basename(path), Object.keys(inputs).map((input) => basename(input))]);
console.log(JSON.stringify(Object.fromEntries(sources), null, 1));
