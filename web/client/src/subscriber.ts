/**
 * One track that we receive. Made by the offer that first carries it, closed by the offer (or the
 * message) that no longer does.
 */

import type { TrackInfo } from "./generated/signaling";
import type { Source } from "./publisher";

export type SubscriberHost = {
  setPaused(publisherId: string, paused: boolean): Promise<void>;
  requestKeyFrame(publisherId: string): Promise<void>;
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
  #paused = false;

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
    return this.#paused;
  }

  /** Stops receiving without losing the subscription, for instance while nobody looks. */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.#host.setPaused(this.publisherId, true);
  }

  async resume(): Promise<void> {
    this.#paused = false;
    await this.#host.setPaused(this.publisherId, false);
  }

  async requestKeyFrame(): Promise<void> {
    await this.#host.requestKeyFrame(this.publisherId);
  }

  /** Loudness now, 0 (silence) to 1; of what was played last, so cheap enough to ask often. */
  audioLevel(): number {
    const [source] = this.#receiver.getSynchronizationSources();
    const fresh = source && performance.now() + performance.timeOrigin - source.timestamp < 1_000;
    return fresh ? (source.audioLevel ?? 0) : 0;
  }

  /** For the transport: what the server last said of the track. */
  update(info: TrackInfo): void {
    this.#muted = info.muted ?? false;
  }
}
