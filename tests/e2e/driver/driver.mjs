/**
 * The browser driver: one JSON object per line on stdin, one per line on stdout.
 *
 * pytest is the runner; this process only holds the browsers, because puppeteer-core is the one tool
 * that drives Debian's Chromium (CDP) and Firefox ESR (WebDriver BiDi) alike. A request is
 * `{id, op, ...}`; its reply `{id, value}` or `{id, error}`. Requests run concurrently. When stdin
 * ends, every browser is closed and the process exits: an aborted test run leaves nothing behind.
 *
 * Usage: node driver.mjs /path/to/web/package.json (where puppeteer-core is installed)
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";

const require = createRequire(process.argv[2]);
const { default: puppeteer } = await import(pathToFileURL(require.resolve("puppeteer-core")).href);

const KIT = readFileSync(fileURLToPath(new URL("./kit.js", import.meta.url)), "utf8");
const CONSOLE_LIMIT = 400;

const browsers = new Map();
const contexts = new Map();
const pages = new Map();
let counter = 0;

const handlers = {
  async launch({ kind, args = [], prefs = {}, profile, executable }) {
    const common = { executablePath: executable, headless: true, args, protocolTimeout: 120_000, timeout: 100_000, acceptInsecureCerts: true };
    const browser =
      kind === "firefox"
        ? await puppeteer.launch({ ...common, browser: "firefox", extraPrefsFirefox: prefs, userDataDir: profile })
        : await puppeteer.launch({ ...common, browser: "chrome", userDataDir: profile, ignoreDefaultArgs: ["--mute-audio"] });
    const browserId = name("browser");
    browsers.set(browserId, browser);
    return { browser: browserId, version: await browser.version(), pid: browser.process()?.pid ?? null };
  },

  async close_browser({ browser }) {
    await browsers.get(browser)?.close();
    browsers.delete(browser);
  },

  async open({ browser, width = 1280, height = 720, permissions = null, origin = null, routes = null }) {
    const context = await browsers.get(browser).createBrowserContext();
    if (permissions) await context.setPermission(origin, ...permissions);
    // A window of its own: Firefox does not paint videos in a tab behind another.
    const page = await context.newPage({ type: "window" });
    const pageId = name("page");
    const log = [];
    contexts.set(pageId, context);
    pages.set(pageId, { page, log });
    page.on("console", (message) => note(log, message.type(), message.text()));
    page.on("pageerror", (error) => note(log, "uncaught", String(error?.stack ?? error)));
    page.on("requestfailed", (request) => note(log, "request", `${request.url()} ${request.failure()?.errorText}`));
    await page.setViewport({ width, height });
    await page.evaluateOnNewDocument(KIT);
    if (routes) await serve(page, routes);
    return { page: pageId };
  },

  async close_page({ page }) {
    pages.delete(page);
    const context = contexts.get(page);
    contexts.delete(page);
    await context?.close();
  },

  async goto({ page, url }) {
    const response = await at(page).goto(url, { waitUntil: "domcontentloaded", timeout: 60_000 });
    return response?.status() ?? null;
  },

  async preload({ page, source }) {
    await at(page).evaluateOnNewDocument(source);
  },

  async evaluate({ page, frame, source, args = [] }) {
    return within(page, frame).evaluate(call(source, args));
  },

  /** Polls until the function returns something truthy; the last value comes back either way. */
  async until({ page, frame, source, args = [], within: patience }) {
    const expression = call(source, args);
    const deadline = Date.now() + patience;
    for (;;) {
      let value;
      let problem = null;
      try {
        value = await within(page, frame).evaluate(expression);
      } catch (error) {
        problem = String(error);
      }
      if (value) return { ok: true, value };
      if (Date.now() > deadline) return { ok: false, value: value ?? null, problem };
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  },

  async click({ page, selector, within = 15_000 }) {
    await at(page).locator(selector).setTimeout(within).click();
  },

  async fill({ page, selector, text, within = 15_000 }) {
    await at(page).locator(selector).setTimeout(within).fill(text);
  },

  async press({ page, key }) {
    await at(page).keyboard.press(key);
  },

  async viewport({ page, width, height }) {
    await at(page).setViewport({ width, height });
  },

  async theme({ page, theme }) {
    await at(page).emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  },

  async screenshot({ page, path }) {
    await at(page).screenshot({ path });
  },

  async log({ page }) {
    return pages.get(page)?.log ?? [];
  },
};

function at(pageId) {
  const entry = pages.get(pageId);
  if (!entry) throw new Error(`page ${pageId} is closed`);
  return entry.page;
}

/** The page itself, or its frame whose address contains this. */
function within(pageId, part) {
  if (!part) return at(pageId);
  const frame = at(pageId).frames().find((each) => each.url().includes(part));
  if (!frame) throw new Error(`the page has no frame of ${part}`);
  return frame;
}

/** Test-only documents on the origin under test, so that no cross-origin rule stands in the way. */
async function serve(page, routes) {
  await page.setRequestInterception(true);
  page.on("request", (request) => {
    const route = routes[new URL(request.url()).pathname];
    const done = route
      ? request.respond({ status: 200, contentType: route.type, body: route.body })
      : request.continue();
    done.catch((error) => process.stderr.write(`interception: ${error}\n`));
  });
}

function call(source, args) {
  return `(${source})(...${JSON.stringify(args)})`;
}

function note(log, type, text) {
  if (log.length < CONSOLE_LIMIT) log.push(`[${new Date().toISOString().slice(11, 23)}] ${type}: ${text}`);
}

function name(kind) {
  counter += 1;
  return `${kind}-${counter}`;
}

async function answer(line) {
  const { id, op, ...request } = JSON.parse(line);
  let reply;
  try {
    reply = { id, value: (await handlers[op](request)) ?? null };
  } catch (error) {
    reply = { id, error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

async function shutdown() {
  await Promise.allSettled([...browsers.values()].map((browser) => browser.close()));
  process.exit(0);
}

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on("line", (line) => void answer(line));
lines.on("close", () => void shutdown());
process.on("SIGTERM", () => void shutdown());
process.on("SIGINT", () => void shutdown());
