/**
 * Watches a channel by WHEP.
 *
 *     const player = LivePlayer.start({ url: channel.links.whep });
 *     video.srcObject = player.stream;
 */

import { LiveConnection, type LiveOptions } from "./liveConnection";

export class LivePlayer extends LiveConnection {
  /** What is received; stays the same when the connection is made anew. */
  readonly stream = new MediaStream();

  private constructor(options: LiveOptions) {
    super(options);
  }

  /** Starts watching; `state` and `failed` tell how it goes. */
  static start(options: LiveOptions): LivePlayer {
    const player = new LivePlayer(options);
    void player.connect();
    return player;
  }

  protected prepare(connection: RTCPeerConnection): void {
    connection.addTransceiver("video", { direction: "recvonly" });
    connection.addTransceiver("audio", { direction: "recvonly" });
    connection.addEventListener("track", ({ track }) => {
      for (const old of this.stream.getTracks()) if (old.kind === track.kind) this.stream.removeTrack(old);
      this.stream.addTrack(track);
      this.emit("track", track);
    });
  }
}
