/**
 * A viewer of one channel.
 *
 *     loading -> soon <-> playing -> ended
 *         `-> failed
 *
 * It starts in WebRTC, which is a moment behind, and changes to HLS by itself where no media comes that way
 * (a network without UDP and TCP for it) or where the viewer prefers it.
 */

import { type Channel, getChannel, type HeadwaterError, LivePlayer, toError } from "@headwater/client";
import { HlsPlayer } from "./hlsPlayer";

export type Phase = "loading" | "soon" | "playing" | "ended" | "failed";
export type Way = "webrtc" | "hls";

export class Watch {
  channel = $state.raw<Channel | null>(null);
  phase = $state<Phase>("loading");
  error = $state.raw<HeadwaterError | null>(null);
  way = $state<Way>("webrtc");
  /** Whether pictures or sound have come since the way was taken. */
  flowing = $state(false);
  /** Seconds behind what happens; unknown at first. */
  behind = $state<number | null>(null);
  /** Heights of the HLS renditions to choose from, best first. */
  heights = $state.raw<readonly number[]>([]);
  /** The chosen one; 0 chooses by itself. */
  height = $state(0);
  readonly #id: string;
  readonly #token: string | undefined;
  readonly #video: HTMLVideoElement;
  readonly #timer: ReturnType<typeof setInterval>;
  #live: LivePlayer | null = null;
  #hls: HlsPlayer | null = null;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #looking = false;
  #closed = false;

  constructor(id: string, token: string | undefined, video: HTMLVideoElement, way: Way = "webrtc") {
    this.#id = id;
    this.#token = token;
    this.#video = video;
    this.way = way;
    video.addEventListener("timeupdate", this.#flows);
    this.#timer = setInterval(() => void this.#look(), lookMs);
    void this.#look();
  }

  /** Changes the way; the viewer's own choice. */
  choose(way: Way): void {
    if (way === this.way) return;
    this.#stop();
    this.way = way;
    if (this.phase === "playing") this.#start();
  }

  chooseHeight(height: number): void {
    this.height = height;
    this.#hls?.chooseHeight(height);
  }

  /** To the newest that there is, after a pause. */
  toLive(): void {
    this.#hls?.toLive();
    void this.#video.play().catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#video.removeEventListener("timeupdate", this.#flows);
    this.#stop();
  }

  readonly #flows = (): void => {
    this.flowing = true;
    clearTimeout(this.#patience);
  };

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      this.channel = await getChannel(location.origin, this.#id, this.#token);
      if (!this.#closed) this.#follow(this.channel);
      this.behind = await this.#measure();
    } catch (thrown) {
      const error = toError(thrown);
      if (!error.retryable) this.#end("failed", error);
    } finally {
      this.#looking = false;
    }
  }

  #follow(channel: Channel): void {
    if (channel.state === "live" && this.phase !== "playing") {
      this.phase = "playing";
      this.#start();
    } else if (channel.over) {
      // By HLS one is some seconds behind: those are still worth seeing.
      if (this.way === "hls" && this.#hls && !this.#video.ended && this.phase === "playing") return;
      this.#end("ended", null);
    } else if (channel.state !== "live") {
      this.#stop();
      this.phase = "soon";
    }
  }

  #start(): void {
    this.flowing = false;
    if (this.way === "hls") void this.#startHls();
    else this.#startLive();
  }

  #startLive(): void {
    const links = this.channel?.links;
    if (!links) return;
    const player = (this.#live = LivePlayer.start({ url: links.whep, token: this.#token }));
    this.#video.srcObject = player.stream;
    player.on("failed", () => this.#fallBack(player));
    this.#patience = setTimeout(() => this.#fallBack(player), patienceMs);
  }

  #fallBack(player: LivePlayer): void {
    if (this.#live !== player || this.flowing) return;
    this.choose("hls");
  }

  async #startHls(): Promise<void> {
    const links = this.channel?.links;
    if (!links) return;
    const player = (this.#hls = new HlsPlayer(this.#video, links.hls, this.#token));
    player.onHeights = (heights) => (this.heights = heights);
    player.onFailed = () => {
      if (this.#hls === player && this.channel?.over) this.#end("ended", null);
    };
    await player.start();
  }

  async #measure(): Promise<number | null> {
    if (!this.flowing) return null;
    if (this.#hls) return this.#hls.behind;
    const report = await this.#live?.getStats();
    let behind: number | null = null;
    for (const row of report?.values() ?? []) {
      const { type, kind, jitterBufferDelay, jitterBufferEmittedCount, currentRoundTripTime, nominated } = row as Row;
      if (type === "inbound-rtp" && kind === "video" && jitterBufferEmittedCount) behind = (behind ?? 0) + (jitterBufferDelay ?? 0) / jitterBufferEmittedCount;
      if (type === "candidate-pair" && nominated) behind = (behind ?? 0) + (currentRoundTripTime ?? 0) / 2;
    }
    return behind;
  }

  #end(phase: Phase, error: HeadwaterError | null): void {
    this.#stop();
    this.phase = phase;
    this.error = error;
    if (phase === "failed" || this.channel?.over) clearInterval(this.#timer);
  }

  #stop(): void {
    clearTimeout(this.#patience);
    this.#live?.close();
    this.#hls?.close();
    this.#live = this.#hls = null;
    this.#video.srcObject = null;
    this.heights = [];
    this.flowing = false;
  }
}

type Row = {
  readonly type: string;
  readonly kind?: string;
  readonly jitterBufferDelay?: number;
  readonly jitterBufferEmittedCount?: number;
  readonly currentRoundTripTime?: number;
  readonly nominated?: boolean;
};

const lookMs = 2_000;
/** So long may WebRTC take to show something before HLS is tried. */
const patienceMs = 8_000;
