// Stands in for a bundler: names with a hash of the content, compressed copies, a manifest.
import {createHash} from "node:crypto";
import {mkdirSync, readFileSync, writeFileSync} from "node:fs";
import {brotliCompressSync, gzipSync} from "node:zlib";

const text = readFileSync("app.js");
const name = `app.${createHash("sha256").update(text).digest("hex").slice(0, 8)}.js`;
mkdirSync("dist");
writeFileSync(`dist/${name}`, text);
writeFileSync(`dist/${name}.gz`, gzipSync(text));
writeFileSync(`dist/${name}.br`, brotliCompressSync(text));
writeFileSync("dist/manifest.json", JSON.stringify({"app.js": name}));
