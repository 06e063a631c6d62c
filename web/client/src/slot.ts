/**
 * One m-line of a large meeting, on which one voice after the other is heard: the server puts the
 * loudest there and says whose it is. The track stays the same, so it is played once and for all.
 */

export class Slot {
  readonly mid: string;
  readonly track: MediaStreamTrack;
  readonly #receiver: RTCRtpReceiver;
  #publisherId: string | null;

  constructor(mid: string, receiver: RTCRtpReceiver, publisherId: string | null) {
    this.mid = mid;
    this.track = receiver.track;
    this.#receiver = receiver;
    this.#publisherId = publisherId;
  }

  /** Whose voice is heard; `null` while the slot is silent. */
  get publisherId(): string | null {
    return this.#publisherId;
  }

  /** Loudness now, 0 (silence) to 1; see {@link audioLevel}. */
  audioLevel(): number {
    return audioLevel(this.#receiver);
  }

  /** For the transport: the server put another voice here. Whether that is news. */
  carry(publisherId: string | null): boolean {
    const isNews = publisherId !== this.#publisherId;
    this.#publisherId = publisherId;
    return isNews;
  }
}

/** Loudness of what a receiver played last, 0 (silence) to 1; cheap enough to ask often. */
export function audioLevel(receiver: RTCRtpReceiver): number {
  const [source] = receiver.getSynchronizationSources();
  const fresh = source && performance.now() + performance.timeOrigin - source.timestamp < 1_000;
  return fresh ? (source.audioLevel ?? 0) : 0;
}
