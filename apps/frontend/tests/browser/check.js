// Walks the shop in Chromium: both languages, phone and desktop, light and dark, with and without JavaScript.
// Every page is photographed, examined by axe-core, and must cause no console message, failed or foreign request.
//
// Usage: node check.js URL SCREENSHOTS [FILTER], FILTER a regular expression of walks. It is started by walk.py, or by
// whoever has a shop. CHROMIUM names another browser; ADDRESS is where URL's host is, PIN the only key it may have (base64
// of the SHA-256 of its SubjectPublicKeyInfo), for shops that no public authority knows.
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { walks } from "./walks.js";

const [base, folder, filter = ""] = process.argv.slice(2);
const { ADDRESS, PIN } = process.env;
const RUN = Date.now().toString(36); // makes this run's accounts new
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };
const problems = [];

function watch(page, where, expected) {
  const note = (text) => problems.push(`${where()}: ${text}`);
  page.on("console", (message) => {
    // Chromium reports statuses that the walk itself provokes.
    const provoked = /status of (403|404|409|422|503)/.test(message.text()) && expected();
    if (["error", "warning"].includes(message.type()) && !provoked) note(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => note(`script: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith("data:")) note(`foreign request: ${url}`);
  });
  page.on("requestfailed", (request) => {
    // A page that is left takes its unfinished requests with it.
    if (request.failure()?.errorText !== "net::ERR_ABORTED") note(`failed: ${request.url()}`);
  });
}

async function examine(page, name) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  for (const found of result.violations) {
    const nodes = found.nodes.map((node) => node.target.join(" ")).slice(0, 5);
    problems.push(`${name}: axe ${found.impact} ${found.id}: ${nodes.join(", ")}`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) problems.push(`${name}: ${wide} px too wide`);
}

async function walk(browser, { name, steps, language, size, scheme, scripts }) {
  const title = `${name}-${language}-${size}-${scheme}${scripts ? "" : "-noscript"}`;
  if (!new RegExp(filter).test(title)) return;
  const context = await browser.newContext({
    baseURL: base,
    viewport: SIZES[size],
    colorScheme: scheme,
    javaScriptEnabled: scripts,
    locale: language,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  let step = "start";
  let trouble = false;
  watch(page, () => `${title}/${step}`, () => trouble);
  const look = async (what) => {
    step = what;
    await page.waitForLoadState("networkidle");
    await page.screenshot({ path: `${folder}/${what}-${language}-${size}-${scheme}${scripts ? "" : "-noscript"}.png`, fullPage: true });
    // Without JavaScript the page's own world is closed; its markup is the same as with it.
    if (scripts) await examine(page, `${title}/${what}`);
  };
  const fail = async (path) => {
    await fetch(`${base}/_test/${path}`);
    trouble = true;
  };
  try {
    await steps({ page, look, fail, language, email: `${title}-${RUN}@example.org`, scripts });
  } catch (error) {
    problems.push(`${title}/${step}: ${error.message}`);
    await page.screenshot({ path: `${folder}/failed-${title}.png` });
  }
  await context.close();
  console.log(`${title}: walked`);
}

await mkdir(folder, { recursive: true });
const args = ["--no-sandbox"];
if (ADDRESS) args.push(`--host-resolver-rules=MAP ${new URL(base).hostname} ${ADDRESS}`);
if (PIN) args.push(`--ignore-certificate-errors-spki-list=${PIN}`);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
for (const one of walks()) await walk(browser, one);
await browser.close();
for (const problem of problems) console.log(problem);
console.log(`${problems.length} problems`);
process.exitCode = problems.length ? 1 : 0;
