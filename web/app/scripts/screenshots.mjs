/**
 * Takes the pictures of docs/images from a running server:
 *
 *     headwater serve --dev
 *     node app/scripts/screenshots.mjs [http://127.0.0.1:8443] [only-names...]      (in web/)
 *
 * Each person is a Chromium of their own. With the fonts Inter and P052 installed (Debian: fonts-inter,
 * fonts-urw-base35) the pictures look the same everywhere.
 */
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { byId, joinAs, openBrowser, openPage, remotePictures } from "./browser.mjs";
import { drawCameras } from "./people.mjs";

const [server = "http://127.0.0.1:8443", ...only] = process.argv.slice(2);
const images = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
const wide = { width: 1280, height: 800 };
const phone = { width: 390, height: 844, scale: 2 };

const wanted = (name) => only.length === 0 || only.some((prefix) => name.startsWith(prefix));

async function shoot(page, name, size = wide) {
  await page.setViewport({ width: size.width, height: size.height, deviceScaleFactor: size.scale ?? 1 });
  await pause(900);
  await page.screenshot({ path: join(images, `${name}.png`), optimizeForSpeed: false });
  console.log(name);
}

async function both(page, name) {
  await shoot(page, `${name}-390`, phone);
  await shoot(page, `${name}-1280`, wide);
}

async function newMeeting() {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${server}/meetings`, { method: "POST", headers, body: "{}" });
  return (await response.json()).id;
}

async function startPages(browser) {
  const page = await openPage(browser, `${server}/`, wide);
  await both(page, "start");
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  await shoot(page, "start-dark-1280");
  await page.close();
}

async function checkPages(browser) {
  const page = await openPage(browser, `${server}/m/${await newMeeting()}`, wide);
  await page.waitForSelector(byId("preview"));
  await page.locator(byId("name")).fill("Mira Okonjo");
  await pause(1_500);
  await both(page, "device-check");
  await page.close();
}

async function errorPages() {
  const refused = await openBrowser({ allow: false });
  const page = await openPage(refused, `${server}/m/${await newMeeting()}`, wide);
  await page.waitForSelector(byId("notice"));
  await page.locator(byId("name")).fill("Mira Okonjo");
  await both(page, "error-permission");
  await page.close();
  await refused.close();
}

/** Two, then three people, then a shared screen; seen by the first. */
async function calls(browsers, slides) {
  const id = await newMeeting();
  const address = `${server}/m/${id}`;
  const [mira, jonas, amara] = browsers;
  const seen = await openPage(mira, address, wide);
  await joinAs(seen, "Mira Okonjo");
  await pause(1_000);
  if (wanted("call-1")) await both(seen, "call-1");
  const second = await openPage(jonas, address, wide);
  await presentInstead(second, slides);
  await joinAs(second, "Jonas Lindqvist");
  await remotePictures(seen, 1);
  await sharpen(seen);
  if (wanted("call-2")) await both(seen, "call-2");
  const third = await openPage(amara, address, wide);
  await joinAs(third, "Amara Diallo");
  await remotePictures(seen, 2);
  await sharpen(seen);
  if (wanted("call-3")) {
    await both(seen, "call-3");
    await seen.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    await shoot(seen, "call-3-dark-1280");
    await seen.keyboard.press("p");
    await shoot(seen, "call-people-1280");
    await seen.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
    await seen.keyboard.press("i");
    await pause(2_500);
    await both(seen, "call-stats");
    await seen.keyboard.press("i");
  }
  if (wanted("why")) {
    await seen.bringToFront();
    await seen.locator('[data-self="false"]').hover();
    await seen.locator(byId("tile-menu-open")).click();
    await shoot(seen, "why-menu-1280");
    await seen.locator(byId("why")).click();
    await pause(20_000); // a graph of some length
    await both(seen, "why");
    await seen.locator(byId("panel-close")).click();
  }
  if (wanted("share")) {
    await second.bringToFront();
    await second.locator(byId("share")).click();
    await seen.waitForSelector('[data-source="screen"] video');
    await remotePictures(seen, 3);
    await pause(4_000);
    await both(seen, "share");
  }
  if (wanted("left")) {
    await seen.locator(byId("leave")).click();
    await seen.waitForSelector(byId("left-page"));
    await both(seen, "left");
  }
}

/** A channel from both sides. */
async function live([mira, jonas], slides) {
  const studio = await openPage(mira, `${server}/studio`, wide);
  await presentInstead(studio, slides);
  await studio.locator(byId("channel-title")).fill("Where the river begins");
  await studio.locator(byId("make-channel")).click();
  await studio.waitForSelector(byId("studio-preview"));
  const link = await studio.$eval(".link a", (anchor) => new URL(anchor.href).pathname);
  const viewer = await openPage(jonas, `${server}${link}`, wide);
  await viewer.waitForSelector(byId("watch-soon"));
  await studio.bringToFront();
  await studio.locator(byId("go-live")).click();
  await studio.waitForSelector(byId("studio-live"));
  await viewer.bringToFront();
  await viewer.waitForFunction(() => document.querySelector("video").videoWidth >= 640, { timeout: 25_000 });
  await pause(3_000);
  await viewer.focus(byId("player-mute"));
  await both(viewer, "watch");
  if (wanted("player")) await embedded(jonas, link);
  await studio.bringToFront();
  await studio.locator(byId("studio-both")).click();
  await studio.waitForSelector(byId("corner-bottom-right"));
  await pause(2_000);
  await both(studio, "studio");
}

/** The player on a page of another site, with the channel that is live. */
async function embedded(browser, channel) {
  const article = newsPage.replaceAll("CHANNEL", channel);
  const site = createServer((_request, response) => response.writeHead(200, { "content-type": "text/html" }).end(article)).listen(0, "127.0.0.1");
  await once(site, "listening");
  const page = await openPage(browser, `http://127.0.0.1:${site.address().port}/`, wide);
  await page.waitForFunction(() => document.querySelector("headwater-player").video?.videoWidth >= 640, { timeout: 25_000 });
  await pause(3_000);
  await page.evaluate(() => document.querySelector("headwater-player").shadowRoot.querySelector("[data-testid=player-mute]").focus());
  await both(page, "player");
  await page.close();
  site.close();
}

/** With fake devices the screen is a test card too: share a drawn slide in its place. */
async function presentInstead(page, picture) {
  await page.evaluate((data) => {
    navigator.mediaDevices.getDisplayMedia = async () => {
      const image = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (character) => character.charCodeAt(0))]));
      const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
      const context = canvas.getContext("2d");
      setInterval(() => context.drawImage(image, 0, 0), 100);
      return canvas.captureStream(10);
    };
  }, picture);
}

async function drawSlide(browser) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1440, height: 810 });
  await page.setContent(slideDeck);
  const picture = await page.screenshot({ type: "png", encoding: "base64" });
  await page.close();
  return picture;
}

/** Bandwidth estimation begins low: wait until the pictures fill their tiles. */
async function sharpen(page) {
  const fills = () => [...document.querySelectorAll('[data-self="false"] video')].every((video) => video.videoWidth >= video.clientWidth);
  await page.waitForFunction(fills, { timeout: 25_000 }).catch(() => console.warn("pictures stayed small"));
}

const slideDeck = `<!doctype html><style>
body{margin:0;height:100vh;display:grid;align-content:center;gap:3vh;padding:0 8vw;background:#fbfaf6;color:#16292d;font:2.4vw P052,Georgia,serif}
h1{font-size:5vw;font-weight:400;margin:0}p{margin:0;color:#486063;font-family:Inter,sans-serif;font-size:1.9vw}
</style><h1>Spring flow, 2026</h1><p>Litres per second at the upper gauge</p>
<svg viewBox="0 0 1000 330" width="100%">${[40, 90, 150, 210, 265].map((y) => `<path d="M0 ${y}H1000" stroke="#d9e2df"/>`).join("")}
<path d="M0 270C90 262 150 250 220 200S330 60 420 52s140 90 220 128 200 40 360 82V300H0Z" fill="#cfe5e4"/>
<path d="M0 270C90 262 150 250 220 200S330 60 420 52s140 90 220 128 200 40 360 82" fill="none" stroke="#0d6872" stroke-width="6"/>
${["Jan", "Mar", "May", "Jul", "Sep", "Nov"].map((m, i) => `<text x="${i * 190 + 8}" y="326" font-family="Inter" font-size="24" fill="#486063">${m}</text>`).join("")}</svg>`;

const newsPage = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>The Gazette</title>
<script type="module" src="${server}/player.js"></script>
<style>body{max-width:46rem;margin:0 auto;padding:1.5rem 1.25rem;background:#fffdf8;color:#222;font:1.0625rem/1.6 Georgia,serif}
header{border-bottom:3px double #222;font-size:1.75rem}h1{margin:1.25rem 0 .75rem;font-size:1.875rem;line-height:1.2}headwater-player{border-radius:.5rem}</style>
<header>The Gazette</header><h1>Live from the upper gauge</h1>
<headwater-player src="${server}CHANNEL" autoplay muted controls></headwater-player>
<p>Since this morning the river has been higher than in any spring on record. We follow the measurements as they come in.</p></html>`;

const directory = await mkdtemp(join(tmpdir(), "headwater-cameras-"));
const browsers = [];
try {
  await mkdir(images, { recursive: true });
  const artist = await openBrowser();
  const cameras = await drawCameras(artist, directory);
  const slide = await drawSlide(artist);
  if (wanted("start")) await startPages(artist);
  await artist.close();
  if (wanted("error")) await errorPages();
  browsers.push(await openBrowser({ camera: cameras.mira }));
  if (wanted("device-check")) await checkPages(browsers[0]);
  if (["call-1", "call-2", "call-3", "why", "share", "left"].some(wanted)) {
    browsers.push(await openBrowser({ camera: cameras.jonas }), await openBrowser({ camera: cameras.amara }));
    await calls(browsers, slide);
  }
  if (["studio", "watch", "player"].some(wanted)) {
    if (browsers.length < 2) browsers.push(await openBrowser({ camera: cameras.jonas }));
    await live(browsers, slide);
  }
} finally {
  for (const browser of browsers) await browser.close();
  await rm(directory, { recursive: true, force: true });
}
