/**
 * The connection on which we receive. The server offers, the client answers.
 *
 * Which m-line is whose track is told beside every offer as `mid -> publisher`. The msid inside the
 * SDP says the same until an m-line is used a second time: browsers keep the first receiver track
 * and its id, so only the mid stays true.
 *
 * In a large meeting voices come on slots: m-lines whose publisher changes by a message, not by an offer.
 */

import { DataSubscriber } from "./dataChannel";
import { ConnectionError } from "./errors";
import { Emitter } from "./events";
import type { ServerOffer, TrackInfo } from "./generated/signaling";
import { IceWatch, readReceived } from "./iceWatch";
import type { LayerChange } from "./layers";
import { SerialQueue } from "./serial";
import { Slot } from "./slot";
import { heartbeatLabel, type StallLevel, StallWatch } from "./stallWatch";
import { Subscriber, type SubscriberHost, type SubscriberState } from "./subscriber";

export type SubscribeTransportEvents = {
  readonly subscribed: Subscriber;
  readonly unsubscribed: Subscriber;
  readonly slotOpened: Slot;
  readonly slotClosed: Slot;
  /** Another voice is heard there, or none. */
  readonly slotChanged: Slot;
  readonly data: DataSubscriber;
  readonly connectionState: RTCPeerConnectionState;
  readonly flowing: boolean;
  /** How long nothing came, in steps; only from a server with a heartbeat. */
  readonly stall: StallLevel;
  /** ICE restarts were of no use; the owner should start over. */
  readonly failed: undefined;
  /** An offer of the server could not be applied. */
  readonly error: unknown;
};

/** What the transport says to the server. */
export type SubscribeSignaling = SubscriberHost & {
  answer(sdp: string): void;
  candidate(candidate: RTCIceCandidateInit | null): void;
  restartIce(): Promise<void>;
};

export class SubscribeTransport extends Emitter<SubscribeTransportEvents> {
  readonly #signaling: SubscribeSignaling;
  readonly #queue = new SerialQueue();
  readonly #subscribers = new Map<string, Subscriber>();
  readonly #slots = new Map<string, Slot>();
  /** Whose voice the server last said is on an m-line; it may say so before the offer is applied. */
  readonly #voices = new Map<string, string | null>();
  /** What was asked for of tracks whose connection was replaced. */
  readonly #remembered = new Map<string, SubscriberState>();
  readonly #stall: StallWatch;
  #flowing = false;
  #pc: RTCPeerConnection;
  #watch: IceWatch;
  #closed = false;

  constructor(signaling: SubscribeSignaling, configuration: RTCConfiguration = {}) {
    super();
    this.#signaling = signaling;
    this.#stall = new StallWatch({ received: () => readReceived(this.#pc), onLevel: (level) => this.#onStall(level) });
    [this.#pc, this.#watch] = this.#open(configuration);
  }

  /** By publisher id. */
  get subscribers(): ReadonlyMap<string, Subscriber> {
    return this.#subscribers;
  }

  /** By mid; there are some in large meetings. */
  get slots(): ReadonlyMap<string, Slot> {
    return this.#slots;
  }

  get connectionState(): RTCPeerConnectionState {
    return this.#pc.connectionState;
  }

  /** Applies an offer of the server and answers it; offers are applied in the order they came. */
  handleOffer({ sdp, tracks, slots = [] }: Pick<ServerOffer, "sdp" | "tracks" | "slots">): Promise<void> {
    const pc = this.#pc;
    for (const { mid, publisher_id: publisherId } of slots) this.setSlot(mid, publisherId ?? null);
    return this.#queue.run(async () => {
      if (this.#closed || pc !== this.#pc) return;
      try {
        await pc.setRemoteDescription({ type: "offer", sdp });
        await pc.setLocalDescription(await pc.createAnswer());
      } catch (error) {
        this.emit("error", error);
        return;
      }
      // Closed or reset while the browser worked: the answer is nobody's business any more.
      if (pc !== this.#pc) return;
      this.#signaling.answer(pc.localDescription?.sdp ?? "");
      this.#assign(pc, tracks);
      this.#assignSlots(pc, slots.map(({ mid }) => mid));
    });
  }

  /** The track ended; the offer without it may follow later. */
  removeTrack(publisherId: string): void {
    this.#remembered.delete(publisherId);
    const subscriber = this.#subscribers.get(publisherId);
    if (!subscriber) return;
    this.#subscribers.delete(publisherId);
    this.emit("unsubscribed", subscriber);
  }

  /** The signalling connection is back and the server still holds this transport. */
  resume(): void {
    if (this.#stall.level === "flowing") return;
    this.#stall.retry();
    void this.restartIce().catch(() => undefined);
  }

  /** Asks the server for an offer with a new path. */
  async restartIce(): Promise<void> {
    try {
      await this.#signaling.restartIce();
    } catch (error) {
      // Without signalling there is nobody to ask; the reconnection takes care of media too.
      if (!(error instanceof ConnectionError)) throw error;
    }
  }

  /** The server knows nothing of this transport any more: start over and wait for its offer. */
  reset(configuration: RTCConfiguration = {}): void {
    if (this.#closed) return;
    this.#shut();
    [this.#pc, this.#watch] = this.#open(configuration);
  }

  /** Another layer of a track comes through now. */
  setLayer(publisherId: string, change: LayerChange): Subscriber | null {
    const subscriber = this.#subscribers.get(publisherId) ?? null;
    subscriber?.setCurrent(change.to);
    return subscriber;
  }

  /** Another voice is on a slot now, or none. */
  setSlot(mid: string, publisherId: string | null): void {
    this.#voices.set(mid, publisherId);
    const slot = this.#slots.get(mid);
    if (slot?.carry(publisherId)) this.emit("slotChanged", slot);
  }

  addCandidate(candidate: RTCIceCandidateInit): void {
    const pc = this.#pc;
    // After the offer that it belongs to.
    void this.#queue.run(() => pc.addIceCandidate(candidate).catch(() => undefined));
  }

  getStats(): Promise<RTCStatsReport> {
    return this.#pc.getStats();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#shut();
  }

  #open(configuration: RTCConfiguration): [RTCPeerConnection, IceWatch] {
    const pc = new RTCPeerConnection(configuration);
    pc.onicecandidate = ({ candidate }) => this.#signaling.candidate(candidate?.toJSON() ?? null);
    pc.onconnectionstatechange = () => this.emit("connectionState", pc.connectionState);
    pc.ondatachannel = ({ channel }) => {
      if (channel.label === heartbeatLabel) this.#listenTo(channel);
      else this.emit("data", new DataSubscriber(channel));
    };
    const watch = new IceWatch(pc, {
      restart: () => void this.restartIce().catch(() => undefined),
      failed: () => this.emit("failed", undefined),
      flowing: (flowing) => this.#setFlowing(flowing),
    });
    return [pc, watch];
  }

  /** The server beats only for those who ask. */
  #listenTo(channel: RTCDataChannel): void {
    const ask = (): void => channel.send("1");
    channel.onmessage = () => this.#stall.beat();
    if (channel.readyState === "open") ask();
    else channel.onopen = ask;
  }

  #onStall(level: StallLevel): void {
    if (level === "flowing") this.#setFlowing(true);
    else if (level !== "stalled") this.#setFlowing(false);
    this.emit("stall", level);
  }

  #setFlowing(flowing: boolean): void {
    if (flowing === this.#flowing) return;
    this.#flowing = flowing;
    this.emit("flowing", flowing);
  }

  #shut(): void {
    this.#watch.close();
    this.#stall.stop();
    this.#pc.onicecandidate = this.#pc.onconnectionstatechange = this.#pc.ondatachannel = null;
    this.#pc.close();
    const states = [...this.#subscribers].map(([publisherId, { state }]) => [publisherId, state] as const);
    for (const [publisherId, state] of states) {
      this.removeTrack(publisherId);
      this.#remembered.set(publisherId, state);
    }
    for (const mid of [...this.#slots.keys()]) this.#closeSlot(mid);
    this.#voices.clear();
  }

  #assign(pc: RTCPeerConnection, tracks: readonly TrackInfo[]): void {
    const changes = planAssignment(this.#subscribers, tracks);
    for (const publisherId of changes.removed) this.removeTrack(publisherId);
    for (const info of changes.kept) this.#subscribers.get(info.publisher_id)?.update(info);
    for (const { info, mid } of changes.added) {
      const transceiver = pc.getTransceivers().find((candidate) => candidate.mid === mid);
      if (!transceiver) continue;
      const subscriber = new Subscriber(this.#signaling, info, mid, transceiver.receiver);
      this.#subscribers.set(info.publisher_id, subscriber);
      const state = this.#remembered.get(info.publisher_id);
      this.#remembered.delete(info.publisher_id);
      if (state) subscriber.restore(state);
      this.emit("subscribed", subscriber);
    }
  }

  #assignSlots(pc: RTCPeerConnection, mids: readonly string[]): void {
    for (const mid of [...this.#slots.keys()]) if (!mids.includes(mid)) this.#closeSlot(mid);
    for (const mid of mids) {
      const transceiver = pc.getTransceivers().find((candidate) => candidate.mid === mid);
      if (!transceiver || this.#slots.has(mid)) continue;
      const slot = new Slot(mid, transceiver.receiver, this.#voices.get(mid) ?? null);
      this.#slots.set(mid, slot);
      this.emit("slotOpened", slot);
    }
  }

  #closeSlot(mid: string): void {
    const slot = this.#slots.get(mid);
    this.#slots.delete(mid);
    this.#voices.delete(mid);
    if (slot) this.emit("slotClosed", slot);
  }
}

export type Assignment = {
  readonly removed: readonly string[];
  readonly kept: readonly TrackInfo[];
  readonly added: readonly { readonly info: TrackInfo; readonly mid: string }[];
};

/**
 * What an offer's track list changes. A publisher that moved to another m-line is removed and added:
 * its media arrives on another receiver. Tracks without a mid are not in this offer.
 */
export function planAssignment(
  current: ReadonlyMap<string, { readonly mid: string }>,
  tracks: readonly TrackInfo[],
): Assignment {
  const offered = new Map(tracks.flatMap((info) => (info.mid == null ? [] : [[info.publisher_id, { info, mid: info.mid }]])));
  const isKept = (publisherId: string): boolean =>
    current.get(publisherId)?.mid === offered.get(publisherId)?.mid && offered.has(publisherId);
  return {
    removed: [...current.keys()].filter((publisherId) => !isKept(publisherId)),
    kept: [...offered.values()].filter(({ info }) => isKept(info.publisher_id)).map(({ info }) => info),
    added: [...offered.values()].filter(({ info }) => !isKept(info.publisher_id)),
  };
}
