/**
 * HLS in a video element: by hls.js, or by the browser itself where it can and hls.js cannot (Safari on a
 * phone). hls.js is fetched only when it is needed.
 */

import type Hls from "hls.js";

export class HlsPlayer {
  onHeights: (heights: readonly number[]) => void = () => undefined;
  onFailed: () => void = () => undefined;
  readonly #video: HTMLVideoElement;
  readonly #url: string;
  readonly #token: string | undefined;
  #hls: Hls | null = null;
  #closed = false;

  constructor(video: HTMLVideoElement, url: string, token?: string) {
    this.#video = video;
    this.#url = url;
    this.#token = token;
  }

  async start(): Promise<void> {
    const { default: Library } = await import("hls.js");
    if (this.#closed) return;
    if (!Library.isSupported()) {
      this.#video.src = this.#url;
      return;
    }
    const token = this.#token;
    const hls = (this.#hls = new Library({
      liveSyncDurationCount: 2,
      manifestLoadPolicy: patient,
      xhrSetup: (request) => {
        if (token) request.setRequestHeader("authorization", `Bearer ${token}`);
      },
    }));
    hls.on(Library.Events.MANIFEST_PARSED, () => this.onHeights(hls.levels.map(({ height }) => height).filter(Boolean).toReversed()));
    hls.on(Library.Events.ERROR, (_event, { fatal, type }) => {
      if (!fatal) return;
      if (type === Library.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
      else this.onFailed();
    });
    hls.loadSource(this.#url);
    hls.attachMedia(this.#video);
  }

  /** Seconds behind the newest segment's end. */
  get behind(): number | null {
    return this.#hls?.latency ?? null;
  }

  chooseHeight(height: number): void {
    if (this.#hls) this.#hls.currentLevel = height ? this.#hls.levels.findIndex((level) => level.height === height) : -1;
  }

  toLive(): void {
    const position = this.#hls?.liveSyncPosition;
    if (position) this.#video.currentTime = position;
  }

  close(): void {
    this.#closed = true;
    this.#hls?.destroy();
    this.#hls = null;
    this.#video.removeAttribute("src");
    this.#video.load();
  }
}

/** The server holds the first request until there is a segment. */
const patient = {
  default: {
    maxTimeToFirstByteMs: 15_000,
    maxLoadTimeMs: 20_000,
    timeoutRetry: { maxNumRetry: 3, retryDelayMs: 500, maxRetryDelayMs: 2_000 },
    errorRetry: { maxNumRetry: 5, retryDelayMs: 1_000, maxRetryDelayMs: 4_000 },
  },
};
