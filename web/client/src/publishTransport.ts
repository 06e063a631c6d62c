/**
 * The connection on which we send. The client offers, the server answers; one negotiation at a time.
 *
 * The transport outlives its RTCPeerConnection: `reset` starts a new one and publishes everything
 * again. A negotiation that loses its signalling connection waits for `resume` or `reset` instead of
 * failing, so that whoever called `publish` need not know about reconnections.
 *
 * m-lines: each Publisher has a slot (a transceiver). A slot whose Publisher was closed becomes
 * inactive and is taken by the next Publisher of the same kind and shape, so that sharing the screen
 * a hundred times does not make a hundred m-lines.
 */

import { applyCodecPreference, defaultEncodings } from "./codecs";
import { DataPublisher, type DataPublisherOptions } from "./dataChannel";
import { ConnectionError, HeadwaterError, StateError } from "./errors";
import { Emitter } from "./events";
import type { OfferedTrack, PublishedTrack } from "./generated/signaling";
import { IceWatch } from "./iceWatch";
import { Publisher, type PublishOptions } from "./publisher";
import { SerialQueue } from "./serial";

export type PublishTransportEvents = {
  readonly connectionState: RTCPeerConnectionState;
  /** Media does (not) get through at present. */
  readonly flowing: boolean;
  /** ICE restarts were of no use; the owner should start over. */
  readonly failed: undefined;
};

/** What the transport says to the server. */
export type PublishSignaling = {
  offer(sdp: string, tracks: readonly OfferedTrack[]): Promise<{ readonly sdp: string; readonly tracks: readonly PublishedTrack[] }>;
  candidate(candidate: RTCIceCandidateInit | null): void;
  mute(publisherId: string, muted: boolean): Promise<void>;
};

type Slot = { readonly transceiver: RTCRtpTransceiver; readonly shape: string; publisher: Publisher | null };

export class PublishTransport extends Emitter<PublishTransportEvents> {
  readonly #signaling: PublishSignaling;
  readonly #queue = new SerialQueue();
  readonly #publishers = new Set<Publisher>();
  readonly #dataPublishers = new Set<DataPublisher>();
  #pc: RTCPeerConnection;
  #watch: IceWatch;
  #slots: Slot[] = [];
  #restartIce = false;
  #closed = false;
  #wake: (() => void)[] = [];

  constructor(signaling: PublishSignaling, configuration: RTCConfiguration = {}) {
    super();
    this.#signaling = signaling;
    [this.#pc, this.#watch] = this.#open(configuration);
  }

  get publishers(): ReadonlySet<Publisher> {
    return this.#publishers;
  }

  get connectionState(): RTCPeerConnectionState {
    return this.#pc.connectionState;
  }

  /**
   * Sends `track` to everybody in the room.
   *
   * @throws {ServerError} the server refuses it, for instance `not_allowed`.
   * @throws {HeadwaterError} `unsupported_codec` when no format is left in common.
   */
  async publish(track: MediaStreamTrack, options: PublishOptions = {}): Promise<Publisher> {
    this.#assertOpen();
    const publisher = new Publisher(this.#host, track, options);
    track.enabled = !publisher.muted;
    this.#publishers.add(publisher);
    this.#attach(publisher);
    try {
      await this.#negotiate();
      if (!publisher.id && !publisher.closed) throw new HeadwaterError("unsupported_codec");
    } catch (error) {
      this.#publishers.delete(publisher);
      this.#detach(publisher);
      throw error;
    }
    return publisher;
  }

  /** Opens a data channel that everybody in the room receives under the same label. */
  async publishData(label: string, options: DataPublisherOptions = {}): Promise<DataPublisher> {
    this.#assertOpen();
    const data = new DataPublisher(label, options, () => this.#dataPublishers.delete(data));
    const needsNegotiation = this.#dataPublishers.size === 0;
    this.#dataPublishers.add(data);
    data.attach(this.#pc);
    try {
      if (needsNegotiation) await this.#negotiate();
    } catch (error) {
      data.close(); // else the next one would take this one's negotiation for done
      throw error;
    }
    return data;
  }

  /** Finds a new path to the server, for instance after the network changed. */
  async restartIce(): Promise<void> {
    this.#assertOpen();
    this.#restartIce = true;
    await this.#negotiate();
  }

  /** The signalling connection is back and the server still holds this transport. */
  resume(): void {
    // What took the socket away (a new network, say) probably took the path for media too.
    this.#restartIce = true;
    this.#wakeWaiters();
    void this.#negotiateQuietly();
  }

  /** The server knows nothing of this transport any more: start over and publish everything again. */
  reset(configuration: RTCConfiguration = {}): void {
    if (this.#closed) return;
    this.#shut();
    for (const publisher of this.#publishers) publisher.bind(null);
    [this.#pc, this.#watch] = this.#open(configuration);
    for (const publisher of this.#publishers) this.#attach(publisher);
    for (const data of this.#dataPublishers) data.attach(this.#pc);
    this.#wakeWaiters();
    if (this.#publishers.size + this.#dataPublishers.size > 0) void this.#negotiateQuietly();
  }

  addCandidate(candidate: RTCIceCandidateInit): void {
    // A candidate for a description that was replaced meanwhile is of no use, and no error.
    this.#pc.addIceCandidate(candidate).catch(() => undefined);
  }

  getStats(): Promise<RTCStatsReport> {
    return this.#pc.getStats();
  }

  /** Ends everything that hangs on this transport. Tracks stay the caller's. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#shut();
    this.#publishers.clear();
    for (const data of [...this.#dataPublishers]) data.close();
    this.#wakeWaiters();
  }

  /** For publishers, which call back through their transport. */
  readonly #host = {
    setMuted: async (publisher: Publisher): Promise<void> => {
      if (publisher.id) await this.#tolerant(this.#signaling.mute(publisher.id, publisher.muted));
    },
    replaceTrack: async (publisher: Publisher, track: MediaStreamTrack | null): Promise<void> => {
      await this.#slotOf(publisher)?.transceiver.sender.replaceTrack(track);
    },
    unpublish: async (publisher: Publisher): Promise<void> => {
      this.#publishers.delete(publisher);
      this.#detach(publisher);
      if (!this.#closed) await this.#tolerant(this.#negotiate());
    },
  };

  #open(configuration: RTCConfiguration): [RTCPeerConnection, IceWatch] {
    const pc = new RTCPeerConnection(configuration);
    pc.onicecandidate = ({ candidate }) => this.#signaling.candidate(candidate?.toJSON() ?? null);
    pc.onconnectionstatechange = () => this.emit("connectionState", pc.connectionState);
    const watch = new IceWatch(pc, {
      restart: () => {
        this.#restartIce = true;
        void this.#negotiateQuietly();
      },
      failed: () => this.emit("failed", undefined),
      flowing: (flowing) => this.emit("flowing", flowing),
    });
    return [pc, watch];
  }

  #shut(): void {
    this.#watch.close();
    this.#pc.onicecandidate = this.#pc.onconnectionstatechange = null;
    this.#pc.close();
    this.#slots = [];
    this.#restartIce = false;
  }

  #attach(publisher: Publisher): void {
    const { encodings = defaultEncodings(publisher.source), preferredCodec } = publisher.options;
    const shape = JSON.stringify([publisher.kind, encodings, preferredCodec]);
    const free = this.#slots.find((slot) => slot.publisher === null && slot.shape === shape);
    if (free) {
      free.publisher = publisher;
      free.transceiver.direction = "sendonly";
      void free.transceiver.sender.replaceTrack(publisher.track);
      return;
    }
    const transceiver = this.#pc.addTransceiver(publisher.track ?? publisher.kind, {
      direction: "sendonly",
      sendEncodings: [...encodings],
    });
    if (preferredCodec && publisher.kind === "video") applyCodecPreference(transceiver, preferredCodec);
    this.#slots.push({ transceiver, shape, publisher });
  }

  #detach(publisher: Publisher): void {
    publisher.bind(null);
    const slot = this.#slotOf(publisher);
    if (!slot) return;
    slot.publisher = null;
    if (this.#pc.signalingState === "closed") return;
    slot.transceiver.direction = "inactive";
    void slot.transceiver.sender.replaceTrack(null).catch(() => undefined);
  }

  #slotOf(publisher: Publisher): Slot | undefined {
    return this.#slots.find((slot) => slot.publisher === publisher);
  }

  #negotiate(): Promise<void> {
    return this.#queue.run(async () => {
      while (!this.#closed) {
        const pc = this.#pc;
        try {
          await this.#offer(pc);
          return;
        } catch (error) {
          // A new connection was begun meanwhile, and with it a negotiation of its own.
          if (pc !== this.#pc) continue;
          if (!(error instanceof ConnectionError) || error.code !== "connection_lost") {
            await rollback(pc);
            throw error;
          }
          await new Promise<void>((resolve) => this.#wake.push(resolve));
        }
      }
      throw new StateError("closed");
    });
  }

  async #offer(pc: RTCPeerConnection): Promise<void> {
    if (this.#slots.length === 0 && this.#dataPublishers.size === 0) return;
    const iceRestart = this.#restartIce;
    await pc.setLocalDescription(await pc.createOffer({ iceRestart }));
    const offered = this.#offeredTracks();
    const answer = await this.#signaling.offer(pc.localDescription?.sdp ?? "", offered);
    await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    this.#restartIce = this.#restartIce && !iceRestart;
    await this.#bind(offered, answer.tracks);
  }

  #offeredTracks(): OfferedTrack[] {
    return this.#slots.flatMap(({ transceiver: { mid }, publisher }) =>
      mid !== null && publisher ? [{ mid, source: publisher.source, muted: publisher.muted }] : [],
    );
  }

  async #bind(offered: readonly OfferedTrack[], published: readonly PublishedTrack[]): Promise<void> {
    for (const { mid, publisher_id: id } of published) {
      const publisher = this.#slots.find((slot) => slot.transceiver.mid === mid)?.publisher;
      if (!publisher) continue;
      publisher.bind(id, mid);
      // Muted or unmuted while the offer was under way: the server has the old state.
      const muted = offered.find((track) => track.mid === mid)?.muted;
      if (muted !== undefined && muted !== publisher.muted) {
        await this.#tolerant(this.#signaling.mute(id, publisher.muted));
      }
    }
  }

  /** Negotiation that nobody waits for: what it cannot do, the IceWatch or the owner will see. */
  async #negotiateQuietly(): Promise<void> {
    await this.#negotiate().catch(() => undefined);
  }

  /** With the connection gone the state is told anew by the next offer: that is not an error. */
  async #tolerant(action: Promise<void>): Promise<void> {
    try {
      await action;
    } catch (error) {
      const lost = error instanceof HeadwaterError && ["connection_lost", "closed", "timed_out"].includes(error.code);
      if (!lost) throw error;
    }
  }

  #wakeWaiters(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  #assertOpen(): void {
    if (this.#closed) throw new StateError("closed");
  }
}

async function rollback(pc: RTCPeerConnection): Promise<void> {
  if (pc.signalingState === "have-local-offer") {
    await pc.setLocalDescription({ type: "rollback" }).catch(() => undefined);
  }
}
