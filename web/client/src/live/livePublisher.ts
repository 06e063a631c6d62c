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

type Kind = "audio" | "video";

export type LivePublisherOptions = LiveOptions & {
  readonly tracks: readonly MediaStreamTrack[];
  /** Kinds that may be sent later, by `replaceTrack`: without renegotiation (WHIP has none) what is not offered now never is. */
  readonly later?: readonly Kind[];
  /** Put first in what is offered; H264 reaches HLS viewers without being encoded again. */
  readonly codec?: Codec;
};

export class LivePublisher extends LiveConnection {
  readonly #codec: Codec;
  /** What is sent of each kind that is offered; `null`: nothing yet. */
  readonly #tracks = new Map<string, MediaStreamTrack | null>();
  readonly #senders = new Map<string, RTCRtpSender>();

  private constructor(options: LivePublisherOptions) {
    super(options);
    this.#codec = options.codec ?? "h264";
    for (const kind of options.later ?? []) this.#tracks.set(kind, null);
    for (const track of options.tracks) this.#tracks.set(track.kind, track);
  }

  /** Starts sending; `state` and `failed` tell how it goes. */
  static start(options: LivePublisherOptions): LivePublisher {
    const publisher = new LivePublisher(options);
    void publisher.connect();
    return publisher;
  }

  /** Sends another track of the same kind in the place of the one that is sent, or the first of a kind that was kept for `later`. */
  async replaceTrack(track: MediaStreamTrack): Promise<void> {
    const first = this.#tracks.get(track.kind) === null;
    this.#tracks.set(track.kind, track);
    const sender = this.#senders.get(track.kind);
    await sender?.replaceTrack(track);
    if (sender && first && track.kind === "video") await this.#plan(sender, track);
  }

  protected prepare(connection: RTCPeerConnection): void {
    const streams = [new MediaStream([...this.#tracks.values()].filter((track) => track !== null))];
    for (const [kind, track] of this.#tracks) {
      const sendEncodings = kind === "video" ? this.#encodings(track) : [{}];
      const transceiver = connection.addTransceiver(track ?? kind, { direction: "sendonly", streams, sendEncodings });
      this.#senders.set(kind, transceiver.sender);
      if (kind === "video") applyCodecPreference(transceiver, this.#codec);
    }
  }

  /** Fits the sizes to a picture that was not known when they were offered. */
  async #plan(sender: RTCRtpSender, track: MediaStreamTrack): Promise<void> {
    const plan = this.#encodings(track);
    const parameters = sender.getParameters();
    parameters.encodings.forEach((encoding, index) => Object.assign(encoding, plan[index]));
    await sender.setParameters(parameters);
  }

  #encodings(track: MediaStreamTrack | null): RTCRtpEncodingParameters[] {
    return planEncodings({ source: "camera", content: "camera", codec: this.#codec, size: track && sizeOf(track) });
  }
}

function sizeOf(track: MediaStreamTrack): { readonly width: number; readonly height: number } | null {
  const { width, height } = track.getSettings();
  return width && height ? { width, height } : null;
}
