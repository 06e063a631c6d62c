/**
 * A broadcaster's side of one channel.
 *
 *     ready -> starting -> live -> ready      (stopped, or failed: `error` says why)
 *
 * The picture is the camera, a screen, or the screen with the camera in a corner; the sound is the microphone
 * and what the screen plays. All of it may change while live: the two tracks that are sent stay, or are
 * replaced, and the session goes on.
 */

import { type Channel, getChannel, type HeadwaterError, LivePublisher, openScreen, StatsSampler, toError, type TransportStats } from "@headwater/client";
import type { LocalMedia } from "../media/localMedia.svelte";
import { Composition } from "./composition";
import type { Corner } from "./inset";
import { Mixer } from "./mixer";

export type Picture = "camera" | "screen" | "both";

export class Studio {
  channel = $state.raw<Channel | null>(null);
  phase = $state<"ready" | "starting" | "live">("ready");
  error = $state.raw<HeadwaterError | null>(null);
  picture = $state<Picture>("camera");
  corner = $state<Corner>("bottom-right");
  screen = $state.raw<MediaStreamTrack | null>(null);
  /** What the screen plays, where the browser gives it. */
  screenSound = $state.raw<MediaStreamTrack | null>(null);
  screenMuted = $state(false);
  /** How the sending goes, renewed every second. */
  stats = $state.raw<TransportStats | null>(null);
  readonly #id: string;
  readonly #token: string | undefined;
  readonly #media: LocalMedia;
  readonly #timer: ReturnType<typeof setInterval>;
  #composition = $state.raw<Composition | null>(null);
  #sampler = new StatsSampler();
  #publisher: LivePublisher | null = null;
  #mixer: Mixer | null = null;

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
    if (this.picture === "camera") return this.#media.camera;
    return this.picture === "both" ? (this.#composition?.track ?? null) : this.screen;
  }

  /** What viewers hear, or would. */
  get sounds(): readonly MediaStreamTrack[] {
    return [this.#media.microphone, this.screenSound].filter((track) => track !== null);
  }

  async choose(picture: Picture): Promise<void> {
    this.error = null;
    if (picture === "camera") this.#stopScreen();
    else if (!this.screen && !(await this.#openScreen())) return;
    if (picture === "both" && !this.#media.camera) await this.#media.startCamera();
    if (picture === "both" && this.screen) this.#composition ??= new Composition(this.screen, this.#media.camera, this.corner);
    this.picture = picture;
    if (picture !== "both") this.#stopComposition();
    await this.follow();
  }

  setCorner(corner: Corner): void {
    this.corner = corner;
    if (this.#composition) this.#composition.corner = corner;
  }

  setScreenMuted(muted: boolean): void {
    this.screenMuted = muted;
    if (this.screenSound) this.screenSound.enabled = !muted;
  }

  /** Sends what there is now: another camera or microphone was chosen. */
  async follow(): Promise<void> {
    this.#composition?.setCamera(this.#media.camera);
    this.#mixer?.setTracks(this.sounds);
    if (this.track) await this.#publisher?.replaceTrack(this.track);
  }

  goLive(): void {
    if (!this.channel || (!this.track && this.sounds.length === 0)) return;
    this.error = null;
    this.phase = "starting";
    this.#sampler = new StatsSampler();
    const mixer = (this.#mixer = new Mixer());
    mixer.setTracks(this.sounds);
    const tracks = [this.track, mixer.track].filter((track) => track !== null);
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
    this.#mixer?.close();
    this.#publisher = this.#mixer = null;
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

  async #openScreen(): Promise<boolean> {
    try {
      const { video, audio } = await openScreen("motion");
      video.addEventListener("ended", () => {
        if (this.screen === video) void this.choose("camera");
      });
      [this.screen, this.screenSound, this.screenMuted] = [video, audio, false];
      return true;
    } catch (thrown) {
      this.error = toError(thrown);
      return false;
    }
  }

  #stopScreen(): void {
    this.#stopComposition();
    this.screen?.stop();
    this.screenSound?.stop();
    this.screen = this.screenSound = null;
  }

  #stopComposition(): void {
    this.#composition?.close();
    this.#composition = null;
  }
}

const lookMs = 1_000;
