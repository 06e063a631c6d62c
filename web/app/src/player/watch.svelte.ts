/**
 * A viewer of one channel.
 *
 *     loading -> soon -> playing <-> ended       (a channel that may go live again is looked at further)
 *         |`---> ready ---^                      (live, and nobody has pressed play)
 *         `-> failed
 *
 * It starts in WebRTC, which is a moment behind, and changes to HLS by itself where no media comes that way
 * (a network without UDP and TCP for it), where the viewer prefers it, and to go back in time; `toLive`
 * returns to the way that was chosen.
 */

import { type Channel, getChannel, type HeadwaterError, LivePlayer, toError } from "@headwater/client";
import { HlsPlayer } from "./hlsPlayer";
import { liveDelay, type DelaySample } from "./liveDelay";

export type Phase = "loading" | "soon" | "ready" | "playing" | "ended" | "failed";
export type Way = "webrtc" | "hls";

export type WatchOptions = {
  /** Origin of the node. */
  readonly server: string;
  readonly channelId: string;
  readonly token?: string | undefined;
  readonly way?: Way | undefined;
  /** Plays as soon as there is something; else when `begin` is called. */
  readonly begins?: boolean;
};

export class Watch {
  channel = $state.raw<Channel | null>(null);
  phase = $state<Phase>("loading");
  error = $state.raw<HeadwaterError | null>(null);
  /** In force now. */
  way = $state<Way>("webrtc");
  /** Whether pictures or sound have come since the way was taken. */
  flowing = $state(false);
  /** Seconds behind what happens; unknown at first. */
  behind = $state<number | null>(null);
  /** Seconds that one can go back; 0 where nothing is kept. */
  rewind = $state(0);
  /** Whether the viewer went back in time. */
  rewound = $state(false);
  /** Heights of the HLS renditions to choose from, best first. */
  heights = $state.raw<readonly number[]>([]);
  /** The chosen one; 0 chooses by itself. */
  height = $state(0);
  readonly #options: WatchOptions;
  readonly #video: HTMLVideoElement;
  readonly #timers: readonly ReturnType<typeof setInterval>[];
  #begun: boolean;
  /** The way that the viewer chose, or that is left. */
  #chosen: Way;
  #live: LivePlayer | null = null;
  #hls: HlsPlayer | null = null;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #looking = false;
  #closed = false;
  /** By how much the node's clock is ahead of ours, ms. */
  #clock = 0;
  #sample: DelaySample | null = null;

  constructor(options: WatchOptions, video: HTMLVideoElement) {
    this.#options = options;
    this.#video = video;
    this.#begun = options.begins ?? true;
    this.way = this.#chosen = options.way ?? "webrtc";
    video.addEventListener("timeupdate", this.#flows);
    this.#timers = [setInterval(() => void this.#look(), lookMs), setInterval(() => void this.#measure(), measureMs)];
    void this.#look();
  }

  /** Plays, where it waited for that. */
  begin(): void {
    this.#begun = true;
    if (this.channel) this.#follow(this.channel);
  }

  /** Changes the way; the viewer's own choice. */
  choose(way: Way): void {
    this.#chosen = way;
    this.rewound = false;
    if (way !== this.way) this.#change(way);
  }

  chooseHeight(height: number): void {
    this.height = height;
    this.#hls?.chooseHeight(height);
  }

  /** Shows what was so many seconds ago, or the newest when that is nearer. */
  goBack(behind: number): void {
    const nearest = this.#hls?.newest ?? leastRewind;
    if (behind < nearest || this.rewind === 0) {
      this.toLive();
      return;
    }
    const wanted = Math.min(behind, this.rewind);
    this.rewound = true;
    this.behind = wanted;
    if (this.#hls) this.#hls.seek(wanted, this.#now());
    else this.#change("hls", wanted);
  }

  /** To the newest that there is, by the way that was chosen. */
  toLive(): void {
    this.rewound = false;
    if (this.way === this.#chosen) this.#hls?.toLive();
    else this.#change(this.#chosen);
    this.resume();
  }

  /** On after a pause: where it was by HLS, with what is newest by WebRTC. */
  resume(): void {
    void this.#video.play().catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    this.#rest();
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
      const { server, channelId, token } = this.#options;
      const asked = Date.now();
      const channel = await getChannel(server, channelId, token);
      if (this.#closed) return;
      this.#clock = Date.parse(channel.now) - (asked + Date.now()) / 2;
      this.channel = channel;
      this.#follow(channel);
    } catch (thrown) {
      const error = toError(thrown);
      if (!error.retryable) this.#end("failed", error);
    } finally {
      this.#looking = false;
    }
  }

  #follow(channel: Channel): void {
    const playing = this.phase === "playing";
    if (channel.state === "live") {
      if (!this.#begun) this.phase = "ready";
      else if (!playing || this.#video.ended) this.#play();
    } else if (playing && this.#hls && !this.#video.ended) {
      // By HLS one is some seconds behind: those are still worth seeing.
    } else {
      this.#end(channel.state === "ended" || channel.over ? "ended" : "soon", null);
    }
  }

  #play(): void {
    this.#stop();
    this.phase = "playing";
    this.#start(null);
  }

  #change(way: Way, behind: number | null = null): void {
    this.#stop();
    this.way = way;
    if (this.phase === "playing") this.#start(behind);
  }

  #start(behind: number | null): void {
    if (this.way === "hls") void this.#startHls(behind);
    else this.#startLive();
  }

  #startLive(): void {
    const links = this.channel?.links;
    if (!links) return;
    const player = (this.#live = LivePlayer.start({ url: links.whep, token: this.#options.token }));
    this.#video.srcObject = player.stream;
    player.on("failed", () => this.#fallBack(player));
    this.#patience = setTimeout(() => this.#fallBack(player), patienceMs);
  }

  #fallBack(player: LivePlayer): void {
    if (this.#live !== player || this.flowing) return;
    this.choose("hls");
  }

  async #startHls(behind: number | null): Promise<void> {
    const links = this.channel?.links;
    if (!links) return;
    const player = (this.#hls = new HlsPlayer(this.#video, links.hls, this.#options.token));
    player.onHeights = (heights) => (this.heights = heights);
    player.onFailed = () => {
      if (this.#hls !== player || this.channel?.state === "live") return;
      this.#stop();
      if (this.channel) this.#follow(this.channel);
    };
    await player.start(behind, () => this.#now());
  }

  async #measure(): Promise<void> {
    const hls = this.#hls;
    if (hls) {
      this.rewind = hls.window(this.#now()) || this.rewind;
      if (this.flowing && !this.#video.seeking) this.behind = hls.behind(this.#now());
      return;
    }
    this.rewind = this.channel?.rewind_seconds ?? 0;
    if (!this.flowing) return;
    const report = await this.#live?.getStats();
    if (!report || this.#hls) return;
    const { behind, sample } = liveDelay(report, this.#sample);
    this.#sample = sample;
    if (behind !== null) this.behind = behind;
  }

  /** The node's clock, ms since 1970. */
  #now(): number {
    return Date.now() + this.#clock;
  }

  #end(phase: Phase, error: HeadwaterError | null): void {
    this.#stop();
    this.phase = phase;
    this.error = error;
    if (phase === "failed" || this.channel?.over) this.#rest();
  }

  #rest(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #stop(): void {
    clearTimeout(this.#patience);
    this.#live?.close();
    this.#hls?.close();
    this.#live = this.#hls = null;
    this.#sample = null;
    this.#video.srcObject = null;
    this.heights = [];
    this.flowing = false;
  }
}

const lookMs = 2_000;
const measureMs = 1_000;
/** So long may WebRTC take to show something before HLS is tried. */
const patienceMs = 8_000;
/** Seconds; nearer to what is live than this, going back by HLS would not lead there. */
const leastRewind = 3;
