/**
 * Sends a camera or screen and a microphone to a channel by WHIP, in several sizes where the codec allows.
 *
 *     const publisher = LivePublisher.start({ url: channel.links.whip, tracks: [camera, microphone] });
 *     publisher.on("state", (state) => …);
 */

import { applyCodecPreference } from "../codecs";
import { planEncodings } from "../encodings";
import type { Codec } from "../publisher";
import { LiveConnection, type LiveOptions } from "./liveConnection";

export type LivePublisherOptions = LiveOptions & {
  readonly tracks: readonly MediaStreamTrack[];
  /** Put first in what is offered; H264 reaches HLS viewers without being encoded again. */
  readonly codec?: Codec;
};

export class LivePublisher extends LiveConnection {
  readonly #codec: Codec;
  readonly #tracks = new Map<string, MediaStreamTrack>();

  private constructor(options: LivePublisherOptions) {
    super(options);
    this.#codec = options.codec ?? "h264";
    for (const track of options.tracks) this.#tracks.set(track.kind, track);
  }

  /** Starts sending; `state` and `failed` tell how it goes. */
  static start(options: LivePublisherOptions): LivePublisher {
    const publisher = new LivePublisher(options);
    void publisher.connect();
    return publisher;
  }

  /** Sends another track of the same kind in the place of the one that is sent. */
  async replaceTrack(track: MediaStreamTrack): Promise<void> {
    this.#tracks.set(track.kind, track);
    const sender = this.connection?.getSenders().find((each) => each.track?.kind === track.kind);
    await sender?.replaceTrack(track);
  }

  protected prepare(connection: RTCPeerConnection): void {
    const streams = [new MediaStream([...this.#tracks.values()])];
    for (const track of this.#tracks.values()) {
      const sendEncodings = track.kind === "video" ? planEncodings({ source: "camera", content: "camera", codec: this.#codec, size: sizeOf(track) }) : [{}];
      const transceiver = connection.addTransceiver(track, { direction: "sendonly", streams, sendEncodings });
      if (track.kind === "video") applyCodecPreference(transceiver, this.#codec);
    }
  }
}

function sizeOf(track: MediaStreamTrack): { readonly width: number; readonly height: number } | null {
  const { width, height } = track.getSettings();
  return width && height ? { width, height } : null;
}
