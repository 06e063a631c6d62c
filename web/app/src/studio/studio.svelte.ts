/**
 * A broadcaster's side of one channel.
 *
 *     ready -> starting -> live -> ready      (stopped, or failed: `error` says why)
 *
 * Camera or screen, and the microphone; which picture is sent may change while live.
 */

import { type Channel, getChannel, type HeadwaterError, LivePublisher, openScreen, StatsSampler, toError, type TransportStats } from "@headwater/client";
import type { LocalMedia } from "../media/localMedia.svelte";

export type Picture = "camera" | "screen";

export class Studio {
  channel = $state.raw<Channel | null>(null);
  phase = $state<"ready" | "starting" | "live">("ready");
  error = $state.raw<HeadwaterError | null>(null);
  picture = $state<Picture>("camera");
  screen = $state.raw<MediaStreamTrack | null>(null);
  /** How the sending goes, renewed every second. */
  stats = $state.raw<TransportStats | null>(null);
  readonly #id: string;
  readonly #token: string | undefined;
  readonly #media: LocalMedia;
  readonly #timer: ReturnType<typeof setInterval>;
  #sampler = new StatsSampler();
  #publisher: LivePublisher | null = null;

  constructor(id: string, token: string | undefined, media: LocalMedia) {
    this.#id = id;
    this.#token = token;
    this.#media = media;
    this.#timer = setInterval(() => void this.#look(), lookMs);
    void this.#look();
  }

  get token(): string | undefined {
    return this.#token;
  }

  /** What viewers see, or would. */
  get track(): MediaStreamTrack | null {
    return this.picture === "screen" ? this.screen : this.#media.camera;
  }

  async choose(picture: Picture): Promise<void> {
    this.error = null;
    if (picture === "screen" && !this.screen) {
      try {
        const { video, audio } = await openScreen("motion");
        audio?.stop();
        video.addEventListener("ended", () => this.#screenEnded(video));
        this.screen = video;
      } catch (thrown) {
        this.error = toError(thrown);
        return;
      }
    }
    if (picture === "camera") this.#stopScreen();
    this.picture = picture;
    await this.follow();
  }

  /** Sends the tracks that there are now: another camera was chosen. */
  async follow(): Promise<void> {
    for (const track of [this.track, this.#media.microphone]) if (track) await this.#publisher?.replaceTrack(track);
  }

  goLive(): void {
    const tracks = [this.track, this.#media.microphone].filter((track) => track !== null);
    if (!this.channel || tracks.length === 0) return;
    this.error = null;
    this.phase = "starting";
    this.#sampler = new StatsSampler();
    const publisher = (this.#publisher = LivePublisher.start({ url: this.channel.links.whip, token: this.#token, tracks }));
    publisher.on("state", (state) => {
      if (state !== "closed") this.phase = state === "connected" ? "live" : "starting";
    });
    publisher.on("failed", (error) => {
      this.error = error;
      this.stop();
    });
  }

  stop(): void {
    this.#publisher?.close();
    this.#publisher = null;
    this.phase = "ready";
    this.stats = null;
  }

  close(): void {
    clearInterval(this.#timer);
    this.stop();
    this.#stopScreen();
  }

  async #look(): Promise<void> {
    try {
      this.channel = await getChannel(location.origin, this.#id, this.#token);
      const report = await this.#publisher?.getStats();
      if (report) this.stats = this.#sampler.sample(report);
    } catch (thrown) {
      const error = toError(thrown);
      if (!error.retryable) this.error = error;
    }
  }

  #screenEnded(track: MediaStreamTrack): void {
    if (this.screen === track) void this.choose("camera");
  }

  #stopScreen(): void {
    this.screen?.stop();
    this.screen = null;
  }
}

const lookMs = 1_000;
