/**
 * One track that we receive. Made by the offer that first carries it, closed by the offer (or the
 * message) that no longer does.
 */

import type { TrackInfo } from "./generated/signaling";
import type { Explanation, Layer, LayerWish } from "./layers";
import type { Source } from "./publisher";
import { SerialQueue } from "./serial";
import { audioLevel } from "./slot";

export type SubscriberHost = {
  setPaused(publisherId: string, paused: boolean): Promise<void>;
  setLayers(publisherId: string, wish: LayerWish): Promise<void>;
  why(publisherId: string): Promise<Explanation>;
  requestKeyFrame(publisherId: string): Promise<void>;
};

/** What was asked for, so that it can be asked for again on another connection. */
export type SubscriberState = {
  readonly paused: boolean;
  readonly layers: LayerWish | null;
  readonly size: LayerWish;
};

export class Subscriber {
  readonly publisherId: string;
  readonly participantId: string;
  readonly kind: "audio" | "video";
  readonly source: Source;
  readonly track: MediaStreamTrack;
  readonly mid: string;
  readonly #receiver: RTCRtpReceiver;
  readonly #host: SubscriberHost;
  #muted: boolean;
  #state: SubscriberState = { paused: false, layers: null, size: {} };
  #current: Layer | null = null;
  /** Requests leave in the order in which they were made, the newest state last. */
  readonly #requests = new SerialQueue();

  constructor(host: SubscriberHost, info: TrackInfo, mid: string, receiver: RTCRtpReceiver) {
    this.#host = host;
    this.#receiver = receiver;
    this.#muted = info.muted ?? false;
    this.publisherId = info.publisher_id;
    this.participantId = info.participant_id;
    this.kind = info.kind;
    this.source = info.source ?? "unknown";
    this.track = receiver.track;
    this.mid = mid;
  }

  /** The sender muted it. */
  get muted(): boolean {
    return this.#muted;
  }

  /** We asked not to receive it for the time being. */
  get paused(): boolean {
    return this.#state.paused;
  }

  /** What was asked for with `setLayers`; `null` while it follows the size of its place. */
  get layers(): LayerWish | null {
    return this.#state.layers;
  }

  /** What comes through now; `null` before the first picture and while the line is too thin for any. */
  get current(): Layer | null {
    return this.#current;
  }

  /** Stops receiving without losing the subscription, for instance while nobody looks. */
  async pause(): Promise<void> {
    await this.#setPaused(true);
  }

  async resume(): Promise<void> {
    await this.#setPaused(false);
  }

  /**
   * Asks for a layer or a size; with `null` the size of the picture's place decides (see
   * {@link followElement}). Replaces what was asked for before.
   */
  async setLayers(layers: LayerWish | null): Promise<void> {
    this.#state = { ...this.#state, layers };
    await this.#sendLayers();
  }

  /** How large the picture is shown, in device pixels; counts unless `setLayers` says otherwise. */
  async setSize(width: number, height: number): Promise<void> {
    this.#state = { ...this.#state, size: { width, height } };
    if (!this.#state.layers) await this.#sendLayers();
  }

  /** Why the track comes as it does, in the server's words. */
  async why(): Promise<Explanation> {
    return await this.#host.why(this.publisherId);
  }

  async requestKeyFrame(): Promise<void> {
    await this.#host.requestKeyFrame(this.publisherId);
  }

  /** Loudness now, 0 (silence) to 1; see {@link audioLevel}. */
  audioLevel(): number {
    return audioLevel(this.#receiver);
  }

  /** For the transport: what the server last said of the track. */
  update(info: TrackInfo): void {
    this.#muted = info.muted ?? false;
  }

  /** For the transport. */
  get state(): SubscriberState {
    return this.#state;
  }

  /** For the transport: this is a track we had already, on a connection that is gone. */
  restore(state: SubscriberState): void {
    this.#state = state;
    // Nobody waits: should it fail, the next wish says everything again.
    if (state.paused) void this.#setPaused(true).catch(() => undefined);
    if (state.layers ?? Object.keys(state.size).length > 0) void this.#sendLayers().catch(() => undefined);
  }

  /** For the transport: the server switched. */
  setCurrent(layer: Layer | null): void {
    this.#current = layer;
  }

  async #setPaused(paused: boolean): Promise<void> {
    this.#state = { ...this.#state, paused };
    await this.#requests.run(() => this.#host.setPaused(this.publisherId, paused));
  }

  async #sendLayers(): Promise<void> {
    await this.#requests.run(() => this.#host.setLayers(this.publisherId, this.#state.layers ?? this.#state.size));
  }
}
