// Builds dist/: content-hashed files, compressed copies beside them, and the manifest that pages read.
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "esbuild";

const DIST = "dist";
const WORTH_COMPRESSING = 256; // bytes

async function entries() {
  const pictures = (await readdir("pictures")).filter((name) => name.endsWith(".svg"));
  return [
    { in: "js/shop.js", out: "shop" },
    { in: "css/shop.css", out: "shop" },
    { in: "js/docs.js", out: "docs" },
    { in: "css/docs.css", out: "docs" },
    ...pictures.map((name) => ({ in: `pictures/${name}`, out: path.parse(name).name })),
  ];
}

async function bundle() {
  const result = await build({
    entryPoints: await entries(),
    entryNames: "[name]-[hash]",
    outdir: DIST,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2020", "chrome100", "firefox100", "safari15"],
    loader: { ".svg": "copy" },
    legalComments: "none",
    logLevel: "warning",
    metafile: true,
  });
  return Object.keys(result.metafile.outputs).sort();
}

function logicalName(file) {
  const { name, ext } = path.parse(file);
  return name.replace(/-[A-Z0-9]{8}$/, "") + ext;
}

async function compress(file) {
  const content = await readFile(file);
  if (content.length < WORTH_COMPRESSING) return;
  const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  const copies = {
    gz: await promisify(gzip)(content, { level: constants.Z_BEST_COMPRESSION }),
    br: await promisify(brotliCompress)(content, { params: quality }),
  };
  for (const [suffix, copy] of Object.entries(copies)) {
    if (copy.length < content.length) await writeFile(`${file}.${suffix}`, copy);
  }
}

await rm(DIST, { recursive: true, force: true });
await mkdir(DIST);
const files = await bundle();
await Promise.all(files.map(compress));
const manifest = Object.fromEntries(files.map((file) => [logicalName(file), path.basename(file)]));
if (Object.keys(manifest).length !== files.length) throw new Error(`two files have one name: ${files}`);
await writeFile(path.join(DIST, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
