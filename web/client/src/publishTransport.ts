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

import { applyCodecPreference, applyRedundancy, soundEncodings } from "./codecs";
import { DataPublisher, type DataPublisherOptions } from "./dataChannel";
import { type Encoding, planEncodings, restrict, type Size, type Wanted } from "./encodings";
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

type Slot = {
  readonly transceiver: RTCRtpTransceiver;
  readonly shape: string;
  /** The sender's parameters are read, changed and written back: one change at a time. */
  readonly changes: SerialQueue;
  publisher: Publisher | null;
};

export class PublishTransport extends Emitter<PublishTransportEvents> {
  readonly #signaling: PublishSignaling;
  readonly #queue = new SerialQueue();
  readonly #publishers = new Set<Publisher>();
  readonly #dataPublishers = new Set<DataPublisher>();
  #pc: RTCPeerConnection;
  #watch: IceWatch;
  #slots: Slot[] = [];
  /** By publisher id; may be told before the answer that names the publisher has been applied. */
  readonly #wanted = new Map<string, Wanted>();
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

  /** Sends only what somebody watches. */
  setWanted(publisherId: string, wanted: Wanted): void {
    this.#wanted.set(publisherId, wanted);
    const publisher = [...this.#publishers].find(({ id }) => id === publisherId);
    if (publisher) void this.#applyEncodings(publisher);
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
      if (track) await this.#applyEncodings(publisher); // it may be of another size
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
    this.#wanted.clear();
    this.#restartIce = false;
  }

  #attach(publisher: Publisher): void {
    const encodings = encodingsOf(publisher);
    const { preferredCodec } = publisher.options;
    const shape = JSON.stringify([publisher.kind, encodings.map(({ rid }) => rid), preferredCodec, publisher.source === "microphone"]);
    const free = this.#slots.find((slot) => slot.publisher === null && slot.shape === shape);
    if (free) {
      free.publisher = publisher;
      free.transceiver.direction = "sendonly";
      void free.transceiver.sender.replaceTrack(publisher.track);
      void this.#applyEncodings(publisher);
      return;
    }
    const transceiver = addSender(this.#pc, publisher.track ?? publisher.kind, encodings);
    if (preferredCodec && publisher.kind === "video") applyCodecPreference(transceiver, preferredCodec);
    if (publisher.source === "microphone") applyRedundancy(transceiver);
    this.#slots.push({ transceiver, shape, changes: new SerialQueue(), publisher });
  }

  /** Brings what the sender does in line with the captured size and with who watches. */
  async #applyEncodings(publisher: Publisher): Promise<void> {
    const slot = this.#slotOf(publisher);
    await slot?.changes.run(async () => {
      if (slot.publisher !== publisher) return;
      const wanted = publisher.id ? (this.#wanted.get(publisher.id) ?? null) : null;
      const plan = restrict(encodingsOf(publisher), wanted);
      const { sender } = slot.transceiver;
      const parameters = sender.getParameters();
      parameters.encodings = parameters.encodings.map((encoding, index) => ({
        ...encoding,
        ...(encoding.rid ? plan.find(({ rid }) => rid === encoding.rid) : plan[index]),
      }));
      // A browser that refuses goes on as it did: too much is sent, nothing is broken.
      await sender.setParameters(parameters).catch(() => undefined);
    });
  }

  #detach(publisher: Publisher): void {
    if (publisher.id) this.#wanted.delete(publisher.id);
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
      mid !== null && publisher ? [describe(mid, publisher)] : [],
    );
  }

  async #bind(offered: readonly OfferedTrack[], published: readonly PublishedTrack[]): Promise<void> {
    for (const { mid, publisher_id: id } of published) {
      const publisher = this.#slots.find((slot) => slot.transceiver.mid === mid)?.publisher;
      if (!publisher) continue;
      publisher.bind(id, mid);
      if (this.#wanted.has(id)) await this.#applyEncodings(publisher);
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

function describe(mid: string, { source, muted, content }: Publisher): OfferedTrack {
  return { mid, source, muted, ...(content === "camera" ? {} : { content }) };
}

function encodingsOf(publisher: Publisher): readonly Encoding[] {
  const { options, source, content, kind, track } = publisher;
  if (options.encodings) return options.encodings;
  if (kind === "audio") return soundEncodings(source);
  return planEncodings({ source, content, codec: options.preferredCodec, size: sizeOf(track) });
}

function sizeOf(track: MediaStreamTrack | null): Size | null {
  const { width, height } = track?.getSettings() ?? {};
  return width && height ? { width, height } : null;
}

/** With the layers asked for where the browser knows them, else without. */
function addSender(pc: RTCPeerConnection, track: MediaStreamTrack | string, encodings: readonly Encoding[]): RTCRtpTransceiver {
  const add = (sendEncodings: Encoding[]): RTCRtpTransceiver => pc.addTransceiver(track, { direction: "sendonly", sendEncodings });
  try {
    return add(encodings.map((encoding) => ({ ...encoding })));
  } catch {
    return add(encodings.map(({ rid, maxBitrate }) => ({ ...(rid ? { rid } : {}), ...(maxBitrate ? { maxBitrate } : {}) })));
  }
}

async function rollback(pc: RTCPeerConnection): Promise<void> {
  if (pc.signalingState === "have-local-offer") {
    await pc.setLocalDescription({ type: "rollback" }).catch(() => undefined);
  }
}
