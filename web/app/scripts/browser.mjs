/**
 * Starts Chromium with fake devices, one process (and so one camera) per person.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--hide-scrollbars",
  "--force-color-profile=srgb",
  "--use-fake-device-for-media-stream=fps=30",
];

/** A browser with one camera picture (an MJPEG file), or Chromium's own test picture. */
export async function openBrowser({ camera, allow = true, extra = [] } = {}) {
  const profile = await mkdtemp(join(tmpdir(), "headwater-browser-"));
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    userDataDir: profile,
    args: [
      ...flags,
      ...(allow ? ["--use-fake-ui-for-media-stream"] : ["--deny-permission-prompts"]),
      ...(camera ? [`--use-file-for-fake-video-capture=${camera}`] : []),
      ...extra,
    ],
  });
  browser.on("disconnected", () => void rm(profile, { recursive: true, force: true }).catch(() => undefined));
  return browser;
}

export async function openPage(browser, url, { width, height, dark = false, scale = 1 }) {
  const page = await browser.newPage();
  await page.setViewport({ width, height, deviceScaleFactor: scale, isMobile: width < 600, hasTouch: width < 600 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
  page.on("console", (message) => {
    if (message.type() === "error" || /Content Security Policy/.test(message.text())) console.error(`[${url}]`, message.text());
  });
  page.on("pageerror", (error) => console.error(`[${url}]`, error.message));
  // Fake devices are named after their files, which says nothing to a reader of the pictures.
  await page.evaluateOnNewDocument(() => {
    const names = { videoinput: "Built-in camera", audioinput: "Built-in microphone", audiooutput: "Built-in speakers" };
    Object.defineProperty(MediaDeviceInfo.prototype, "label", {
      get() {
        return names[this.kind];
      },
    });
  });
  await page.goto(url, { waitUntil: "load" });
  return page;
}

export const byId = (id) => `[data-testid="${id}"]`;

/** Through the device check into the call. */
export async function joinAs(page, name) {
  await page.waitForSelector(byId("name"));
  await page.locator(byId("name")).fill(name);
  await page.waitForFunction(() => !document.querySelector('[data-testid="camera-select"]')?.disabled, { timeout: 15_000 }).catch(() => null);
  await page.locator(byId("join")).click();
  await page.waitForSelector(byId("call-page"), { timeout: 20_000 });
}

/** Waits until this many remote pictures are really moving. */
export async function remotePictures(page, count, timeout = 30_000) {
  try {
    await page.waitForFunction(
      (wanted) => {
        const videos = [...document.querySelectorAll('[data-self="false"] video')];
        return videos.filter((video) => video.videoWidth > 0 && video.currentTime > 0).length >= wanted;
      },
      { timeout },
      count,
    );
  } catch (error) {
    const seen = await page.$$eval("video", (videos) =>
      videos.map(({ dataset, videoWidth, currentTime }) => ({ ...dataset, videoWidth, currentTime })),
    );
    throw new Error(`not ${count} moving pictures: ${JSON.stringify(seen)}`, { cause: error });
  }
}
