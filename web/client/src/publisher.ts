/**
 * One track that we send. It outlives its connection: after a reconnection the same Publisher gets a
 * new id on the server, its track and its muted state stay.
 */

import type { OfferedTrack, TrackInfo } from "./generated/signaling";

export type Source = NonNullable<TrackInfo["source"]>;
export type Codec = "vp8" | "vp9" | "av1" | "h264";
/** What is given up first on a thin line: `detail` (text) keeps resolution, `motion` the frame rate. */
export type Content = NonNullable<OfferedTrack["content"]>;

export type PublishOptions = {
  readonly source?: Source;
  /** As for `addTransceiver`; chosen by source, codec and captured size when absent. */
  readonly encodings?: readonly RTCRtpEncodingParameters[];
  /** Put first among what is offered; the others stay as a fallback. */
  readonly preferredCodec?: Codec;
  readonly muted?: boolean;
  /** `detail` for a screen and `camera` for all else when absent. */
  readonly content?: Content;
};

/** What a Publisher needs of its transport. */
export type PublisherHost = {
  setMuted(publisher: Publisher): Promise<void>;
  replaceTrack(publisher: Publisher, track: MediaStreamTrack | null): Promise<void>;
  unpublish(publisher: Publisher): Promise<void>;
};

export class Publisher {
  readonly kind: "audio" | "video";
  readonly source: Source;
  readonly content: Content;
  readonly options: PublishOptions;
  readonly #host: PublisherHost;
  #track: MediaStreamTrack | null;
  #muted: boolean;
  #id: string | null = null;
  #mid: string | null = null;
  #closed = false;

  constructor(host: PublisherHost, track: MediaStreamTrack, options: PublishOptions) {
    this.#host = host;
    this.#track = track;
    this.#muted = options.muted ?? false;
    this.kind = track.kind === "audio" ? "audio" : "video";
    this.source = options.source ?? "unknown";
    this.content = options.content ?? (this.source === "screen" ? "detail" : "camera");
    this.options = options;
    this.#hint();
  }

  /** The server's id, or `null` while it is not (or not yet again) published. */
  get id(): string | null {
    return this.#id;
  }

  /** Its m-line, by which statistics name it. */
  get mid(): string | null {
    return this.#mid;
  }

  /** `null` while the device is off. */
  get track(): MediaStreamTrack | null {
    return this.#track;
  }

  get muted(): boolean {
    return this.#muted;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Nobody receives the track any more until `unmute`; everybody is told. */
  async mute(): Promise<void> {
    await this.#setMuted(true);
  }

  async unmute(): Promise<void> {
    await this.#setMuted(false);
  }

  /** Sends another track (or, with `null`, none) in the place of this one, without renegotiation. */
  async replaceTrack(track: MediaStreamTrack | null): Promise<void> {
    this.#track = track;
    if (track) track.enabled = !this.#muted;
    this.#hint();
    await this.#host.replaceTrack(this, track);
  }

  /** Ends the publication; the track itself stays the caller's. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#host.unpublish(this);
  }

  /** For the transport: the server knows this track by `id` now, or not at all. */
  bind(id: string | null, mid: string | null = null): void {
    this.#id = id;
    this.#mid = mid;
  }

  /** Tells the encoder; a hint that the caller gave the track stays. */
  #hint(): void {
    const track = this.#track;
    if (this.kind === "audio" || this.content === "camera" || !track || !("contentHint" in track)) return;
    track.contentHint ||= this.content;
  }

  async #setMuted(muted: boolean): Promise<void> {
    if (this.#closed || muted === this.#muted) return;
    this.#muted = muted;
    if (this.#track) this.#track.enabled = !muted;
    await this.#host.setMuted(this);
  }
}
