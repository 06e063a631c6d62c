/**
 * Screen and camera in one picture: the screen as it is, the camera in a corner of it.
 *
 * Drawn on a canvas whose track stays the same while what is drawn changes, so a broadcast goes on without a
 * new session. Close it, or it draws for ever.
 */

import { type Corner, fit, inset, type Place } from "./inset";

export class Composition {
  corner: Corner;
  readonly track: MediaStreamTrack;
  readonly #canvas = document.createElement("canvas");
  readonly #context = this.#canvas.getContext("2d", { alpha: false });
  readonly #screen = player();
  readonly #camera = player();
  readonly #ticker = new Worker(new URL("./ticker.ts", import.meta.url), { type: "module" });

  constructor(screen: MediaStreamTrack, camera: MediaStreamTrack | null, corner: Corner) {
    this.corner = corner;
    const { width = largest.width, height = largest.height } = screen.getSettings();
    Object.assign(this.#canvas, fit({ width, height }, largest));
    show(this.#screen, screen);
    this.setCamera(camera);
    const [track] = this.#canvas.captureStream(framesPerSecond).getVideoTracks();
    if (!track) throw new Error("a canvas without a track");
    this.track = track;
    this.#ticker.onmessage = () => this.#draw();
    this.#ticker.postMessage(framesPerSecond);
  }

  /** Another camera, or none. */
  setCamera(camera: MediaStreamTrack | null): void {
    show(this.#camera, camera);
  }

  close(): void {
    this.#ticker.terminate();
    this.track.stop();
    show(this.#screen, null);
    show(this.#camera, null);
  }

  #draw(): void {
    const context = this.#context;
    const whole = sizeOf(this.#screen);
    if (!context || !whole) return;
    const size = fit(whole, largest);
    // Setting a size, even the same, makes a canvas black.
    if (size.width !== this.#canvas.width || size.height !== this.#canvas.height) Object.assign(this.#canvas, size);
    context.drawImage(this.#screen, 0, 0, size.width, size.height);
    const camera = sizeOf(this.#camera);
    if (camera) drawInset(context, this.#camera, inset(size, camera, this.corner));
  }
}

function drawInset(context: CanvasRenderingContext2D, video: HTMLVideoElement, { x, y, width, height }: Place): void {
  context.save();
  context.beginPath();
  context.roundRect(x, y, width, height, width * 0.05);
  context.clip();
  context.drawImage(video, x, y, width, height);
  context.restore();
}

function player(): HTMLVideoElement {
  return Object.assign(document.createElement("video"), { muted: true, playsInline: true });
}

function show(video: HTMLVideoElement, track: MediaStreamTrack | null): void {
  video.srcObject = track && new MediaStream([track]);
  if (track) void video.play().catch(() => undefined);
}

/** `null` before the first picture. */
function sizeOf({ videoWidth: width, videoHeight: height }: HTMLVideoElement): { readonly width: number; readonly height: number } | null {
  return width && height ? { width, height } : null;
}

const framesPerSecond = 30;
const largest = { width: 1920, height: 1080 };
