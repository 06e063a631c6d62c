/**
 * HLS in a video element: by hls.js, or by the browser itself where it can and hls.js cannot (Safari on a
 * phone). hls.js is fetched only when it is needed, and plays low-latency playlists as such.
 *
 * Where in time a picture is comes from the playlist's dates: `behind` is seconds between what is seen and
 * the node's clock. A playlist without dates is measured from its end.
 */

import type Hls from "hls.js";
import type { Fragment, LevelDetails } from "hls.js";

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

  /** Plays what is newest, or what was so many seconds ago by the clock `now` (ms since 1970). */
  async start(behind: number | null, now: () => number): Promise<void> {
    const { default: Library } = await import("hls.js");
    if (this.#closed) return;
    if (!Library.isSupported()) {
      this.#video.src = this.#url;
      return;
    }
    const token = this.#token;
    const hls = (this.#hls = new Library({
      manifestLoadPolicy: patient,
      // Only where the pictures may be late by less than a segment: a little faster until they are.
      maxLiveSyncPlaybackRate: 1.1,
      xhrSetup: (request) => {
        if (token) request.setRequestHeader("authorization", `Bearer ${token}`);
      },
    }));
    // Not as a setting of ours, which would override the distance that a playlist asks for (low latency).
    hls.config.liveSyncDurationCount = 2;
    hls.subtitleDisplay = false;
    if (behind !== null) {
      const date = now() - behind * 1000;
      hls.once(Library.Events.LEVEL_LOADED, (_event, { details }) => hls.startLoad(within(details, positionAt(details, date))));
      // hls.js begins with what is live all the same, when it takes another rendition meanwhile.
      this.#video.addEventListener("loadeddata", () => this.#hls === hls && this.#correct(date), { once: true });
    }
    hls.on(Library.Events.MANIFEST_PARSED, () => this.onHeights(hls.levels.map(({ height }) => height).filter(Boolean).toReversed()));
    hls.on(Library.Events.ERROR, (_event, { fatal, type }) => {
      if (!fatal) return;
      if (type === Library.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
      else this.onFailed();
    });
    hls.loadSource(this.#url);
    hls.attachMedia(this.#video);
  }

  /** Seconds between what is seen and `now`; unknown before there is something. */
  behind(now: number): number | null {
    const date = dateAt(this.#details, this.#video.currentTime);
    if (date !== null) return Math.max(0, (now - date) / 1000);
    return this.#hls?.latency || null;
  }

  /** How far back one can go, in seconds. */
  window(now: number): number {
    const details = this.#details;
    const [first] = details?.fragments ?? [];
    if (!details || !first) return 0;
    const date = dateAt(details, first.start);
    return date === null ? details.totalduration : Math.max(0, (now - date) / 1000);
  }

  /** How far behind the newest is that may be played without stalling, in seconds. */
  get newest(): number {
    return this.#hls?.targetLatency ?? 0;
  }

  /** Goes to what was so many seconds ago. */
  seek(behind: number, now: number): void {
    const details = this.#details;
    const hls = this.#hls;
    if (!details || !hls) return;
    const wanted = positionAt(details, now - behind * 1000) ?? this.#video.currentTime + hls.latency - behind;
    this.#video.currentTime = Math.min(within(details, wanted), hls.liveSyncPosition ?? details.edge);
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

  /** Goes to what happened at a time, unless that is what is shown. */
  #correct(date: number): void {
    const details = this.#details;
    const wanted = details ? positionAt(details, date) : null;
    if (!details || wanted === null || Math.abs(wanted - this.#video.currentTime) < slack) return;
    this.#video.currentTime = within(details, wanted);
  }

  get #details(): LevelDetails | null {
    return this.#hls?.latestLevelDetails ?? null;
  }
}

/** When a position of the playlist happened, ms since 1970. */
function dateAt(details: LevelDetails | null, position: number): number | null {
  const dated = datedFragments(details);
  const fragment = dated.findLast(({ start }) => start <= position) ?? dated[0];
  return fragment ? fragment.date + (position - fragment.start) * 1000 : null;
}

/** The position of what happened at a time; the nearest there is. */
function positionAt(details: LevelDetails, date: number): number | null {
  const dated = datedFragments(details);
  const fragment = dated.findLast((each) => each.date <= date) ?? dated[0];
  return fragment ? fragment.start + (date - fragment.date) / 1000 : null;
}

/** The nearest position that will not be gone in a moment; the oldest where none is wanted. */
function within(details: LevelDetails, position: number | null): number {
  const oldest = (details.fragments[0]?.start ?? 0) + safety;
  return Math.min(Math.max(position ?? oldest, oldest), details.edge);
}

function datedFragments(details: LevelDetails | null): readonly { readonly start: number; readonly date: number }[] {
  const all: readonly Fragment[] = details?.fragments ?? [];
  return all.flatMap(({ start, programDateTime }) => (programDateTime === null ? [] : [{ start, date: programDateTime }]));
}

/** Seconds by which playing may begin beside what was asked for: key frames are so far apart. */
const slack = 2.5;

/** Seconds: the oldest segment is about to go. */
const safety = 1;

/** The server holds the first request until there is a segment. */
const patient = {
  default: {
    maxTimeToFirstByteMs: 15_000,
    maxLoadTimeMs: 20_000,
    timeoutRetry: { maxNumRetry: 3, retryDelayMs: 500, maxRetryDelayMs: 2_000 },
    errorRetry: { maxNumRetry: 5, retryDelayMs: 1_000, maxRetryDelayMs: 4_000 },
  },
};
