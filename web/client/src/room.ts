/**
 * One participant's place in one meeting: a signalling connection, a transport to send on and a
 * transport to receive on.
 *
 * States: connected <-> reconnecting -> closed. While reconnecting nothing is taken away: people stay
 * listed, transports keep whatever media still flows. A join that resumes keeps both transports; one
 * that does not starts them over and publishes everything again. `closed` is final and says why.
 *
 * Who closes whom: leave() or a final error closes the signalling, both transports, and with them all
 * publishers, subscribers and data channels. Tracks given to `publish` stay the caller's.
 */

import { Backoff, reconnectBackoff } from "./backoff";
import type { DataPublisher, DataPublisherOptions, DataSubscriber } from "./dataChannel";
import { byeError, ConnectionError, type HeadwaterError, toError } from "./errors";
import { Emitter } from "./events";
import type { Joined, ServerMessage } from "./generated/signaling";
import { type LayerChange, toExplanation, toLayerChange, toSetLayers } from "./layers";
import { type Participant, type RemoteTrack, toParticipant, toRemoteTrack, withoutTrack, withTrack } from "./participant";
import type { Publisher, PublishOptions } from "./publisher";
import { PublishTransport, type PublishSignaling } from "./publishTransport";
import type { Signaling } from "./signaling";
import type { Slot } from "./slot";
import type { StallLevel } from "./stallWatch";
import { StatsSampler, type TransportStats } from "./stats";
import type { Subscriber } from "./subscriber";
import { SubscribeTransport, type SubscribeSignaling } from "./subscribeTransport";

export type RoomState = "connected" | "reconnecting" | "closed";

export type RoomEvents = {
  readonly state: RoomState;
  /** An attempt to reconnect begins after `delayMs`. */
  readonly reconnecting: { readonly attempt: number; readonly delayMs: number };
  readonly reconnected: { readonly resumed: boolean };
  readonly closed: { readonly error: HeadwaterError | null };
  readonly participantJoined: Participant;
  /** Name, role or tracks changed. */
  readonly participantUpdated: Participant;
  readonly participantLeft: { readonly participant: Participant; readonly reason: string };
  readonly trackPublished: RemoteTrack;
  readonly trackUpdated: RemoteTrack;
  readonly trackUnpublished: RemoteTrack;
  readonly subscribed: Subscriber;
  readonly unsubscribed: Subscriber;
  /** In large meetings voices are heard on a few slots, whoever is loudest. */
  readonly slotOpened: Slot;
  readonly slotClosed: Slot;
  /** Another voice is heard there, or none; {@link Room.ownerOf} knows whose it is. */
  readonly slotChanged: Slot;
  readonly data: DataSubscriber;
  /** Another layer of a track comes through, or none. */
  readonly layerChanged: LayerChange & { readonly subscriber: Subscriber };
  /** Who speaks; `null` when nobody does. */
  readonly activeSpeaker: { readonly publisherId: string | null; readonly participantId: string | null };
  /** How well somebody's connection works, oneself included: 0 (nothing gets through) to 100. */
  readonly quality: { readonly participantId: string; readonly score: number };
  /** Nothing comes, for how long, in steps: see {@link StallLevel}. */
  readonly stall: StallLevel;
  /** Media gets through (true), does not at present (false), per direction. */
  readonly flowing: { readonly direction: "send" | "receive"; readonly flowing: boolean };
  /** Both directions were tried again and again: the network lets no media through. */
  readonly mediaBlocked: HeadwaterError;
};

export type RoomOptions = {
  readonly meetingId: string;
  readonly name: string;
  readonly token?: string | undefined;
  readonly rtcConfiguration?: RTCConfiguration | undefined;
  /** Opens a fresh signalling connection. */
  readonly connect: () => Promise<Signaling>;
  /** For tests. */
  readonly random?: () => number;
};

export type RoomStats = { readonly publish: TransportStats; readonly subscribe: TransportStats };

export class Room extends Emitter<RoomEvents> {
  readonly meetingId: string;
  readonly publishTransport: PublishTransport;
  readonly subscribeTransport: SubscribeTransport;
  readonly #options: RoomOptions;
  readonly #backoff: Backoff;
  readonly #participants = new Map<string, Participant>();
  readonly #samplers = { publish: new StatsSampler(), subscribe: new StatsSampler() };
  #signaling: Signaling;
  #joined: Joined;
  #name: string;
  #token: string | undefined;
  #state: RoomState = "connected";
  #restartMedia = false;
  #mediaFailures = 0;
  #retryNow: (() => void) | null = null;

  /** Joins; rejects with the server's refusal or a {@link ConnectionError}. */
  static async join(options: RoomOptions): Promise<Room> {
    const signaling = await options.connect();
    // Messages may follow the reply within the same tick: keep them until the room listens.
    const early: ServerMessage[] = [];
    const stop = signaling.on("message", (message) => early.push(message));
    try {
      const joined = await signaling.request(joinRequest(options), "joined");
      const room = new Room(options, signaling, joined);
      stop();
      for (const message of early) room.#handle(message);
      return room;
    } catch (error) {
      signaling.close();
      throw error;
    }
  }

  private constructor(options: RoomOptions, signaling: Signaling, joined: Joined) {
    super();
    this.#options = options;
    this.#backoff = new Backoff(reconnectBackoff, options.random);
    this.#signaling = signaling;
    this.#joined = joined;
    this.#name = joined.name;
    this.#token = joined.token ?? options.token;
    this.meetingId = joined.meeting_id;
    this.publishTransport = new PublishTransport(this.#publishSignaling(), this.#rtcConfiguration());
    this.subscribeTransport = new SubscribeTransport(this.#subscribeSignaling(), this.#rtcConfiguration());
    this.#wireTransports();
    for (const info of joined.participants) this.#putParticipant(toParticipant(info));
    this.#listen(signaling);
    globalThis.addEventListener("online", this.#onOnline);
  }

  get state(): RoomState {
    return this.#state;
  }

  /** One's own participant id. */
  get participantId(): string {
    return this.#joined.participant_id;
  }

  get name(): string {
    return this.#name;
  }

  get role(): string {
    return this.#joined.role;
  }

  /** The others, by participant id. */
  get participants(): ReadonlyMap<string, Participant> {
    return this.#participants;
  }

  get subscribers(): ReadonlyMap<string, Subscriber> {
    return this.subscribeTransport.subscribers;
  }

  /** By mid. */
  get slots(): ReadonlyMap<string, Slot> {
    return this.subscribeTransport.slots;
  }

  /** Who publishes that, if it is one of the others. */
  ownerOf(publisherId: string): Participant | null {
    const all = [...this.#participants.values()];
    return all.find(({ tracks }) => tracks.some((track) => track.publisherId === publisherId)) ?? null;
  }

  publish(track: MediaStreamTrack, options?: PublishOptions): Promise<Publisher> {
    return this.publishTransport.publish(track, options);
  }

  publishData(label: string, options?: DataPublisherOptions): Promise<DataPublisher> {
    return this.publishTransport.publishData(label, options);
  }

  async setName(name: string): Promise<void> {
    this.#name = name;
    await this.#signaling.request({ type: "update", name }, "pong");
  }

  /** Rates since the call before. */
  async getStats(): Promise<RoomStats> {
    const [publish, subscribe] = await Promise.all([
      this.publishTransport.getStats(),
      this.subscribeTransport.getStats(),
    ]);
    return {
      publish: this.#samplers.publish.sample(entriesOf(publish)),
      subscribe: this.#samplers.subscribe.sample(entriesOf(subscribe)),
    };
  }

  /** Leaves for good and tells the server. Idempotent. */
  async leave(): Promise<void> {
    if (this.#state === "closed") return;
    const signaling = this.#signaling;
    const told = this.#state === "connected" ? signaling.request({ type: "leave" }, "left") : Promise.resolve(null);
    this.#close(null);
    // One second is plenty for a courtesy; the server notices the closed socket anyway.
    await Promise.race([told.catch(() => null), new Promise((resolve) => setTimeout(resolve, 1_000))]);
    signaling.close();
  }

  // --- from the server ---------------------------------------------------------------------------

  #listen(signaling: Signaling): void {
    this.#signaling = signaling;
    signaling.on("message", (message) => this.#handle(message));
    signaling.on("closed", () => {
      if (signaling === this.#signaling) void this.#reconnect();
    });
  }

  #handle(message: ServerMessage): void {
    if (this.#state === "closed") return;
    switch (message.type) {
      case "offer":
        void this.subscribeTransport.handleOffer(message);
        break;
      case "candidate":
        this.#addCandidate(message);
        break;
      case "participant_joined":
      case "participant_updated":
        this.#putParticipant(toParticipant(message.participant));
        break;
      case "participant_left":
        this.#dropParticipant(message.participant_id, message.reason ?? "left");
        break;
      case "track_published":
      case "track_updated":
        this.#putTrack(toRemoteTrack(message.track));
        break;
      case "track_unpublished":
        this.#dropTrack(message.participant_id, message.publisher_id);
        break;
      case "transport_closed":
        if (message.transport === "publish") this.publishTransport.reset(this.#rtcConfiguration());
        else this.subscribeTransport.reset(this.#rtcConfiguration());
        break;
      case "layer_changed": {
        const change = toLayerChange(message);
        const subscriber = this.subscribeTransport.setLayer(message.publisher_id, change);
        if (subscriber) this.emit("layerChanged", { ...change, subscriber });
        break;
      }
      case "layers_wanted":
        this.publishTransport.setWanted(message.publisher_id, { encodings: message.encodings ?? [], max: message.max ?? null });
        break;
      case "slot_changed":
        this.subscribeTransport.setSlot(message.mid, message.publisher_id ?? null);
        break;
      case "active_speaker":
        this.emit("activeSpeaker", { publisherId: message.publisher_id ?? null, participantId: message.participant_id ?? null });
        break;
      case "quality":
        this.emit("quality", { participantId: message.participant_id, score: message.score });
        break;
      case "token":
        this.#token = message.token;
        break;
      case "bye":
        if (message.reconnect) this.#signaling.close();
        else this.#close(byeError(message.reason));
        break;
      default:
        // Replies that came too late, and messages of a newer server.
        break;
    }
  }

  #addCandidate({ candidate, transport }: Extract<ServerMessage, { readonly type: "candidate" }>): void {
    if (!candidate) return;
    const init: RTCIceCandidateInit = typeof candidate === "string" ? { candidate, sdpMLineIndex: 0 } : candidate;
    if (transport === "subscribe") this.subscribeTransport.addCandidate(init);
    else this.publishTransport.addCandidate(init);
  }

  #putParticipant(participant: Participant): void {
    if (participant.id === this.participantId) return;
    const known = this.#participants.get(participant.id);
    this.#participants.set(participant.id, participant);
    this.emit(known ? "participantUpdated" : "participantJoined", participant);
  }

  #dropParticipant(id: string, reason: string): void {
    const participant = this.#participants.get(id);
    if (!participant) return;
    for (const { publisherId } of participant.tracks) this.#dropTrack(id, publisherId);
    this.#participants.delete(id);
    this.emit("participantLeft", { participant, reason });
  }

  #putTrack(track: RemoteTrack): void {
    const participant = this.#participants.get(track.participantId);
    if (!participant) return;
    const known = participant.tracks.some(({ publisherId }) => publisherId === track.publisherId);
    const updated = withTrack(participant, track);
    this.#participants.set(participant.id, updated);
    this.emit(known ? "trackUpdated" : "trackPublished", track);
    this.emit("participantUpdated", updated);
  }

  #dropTrack(participantId: string, publisherId: string): void {
    const participant = this.#participants.get(participantId);
    const track = participant?.tracks.find((candidate) => candidate.publisherId === publisherId);
    this.subscribeTransport.removeTrack(publisherId);
    if (!participant || !track) return;
    const updated = withoutTrack(participant, publisherId);
    this.#participants.set(participantId, updated);
    this.emit("trackUnpublished", track);
    this.emit("participantUpdated", updated);
  }

  // --- reconnection ------------------------------------------------------------------------------

  async #reconnect(): Promise<void> {
    if (this.#state !== "connected") return;
    this.#setState("reconnecting");
    this.#backoff.reset();
    let last: HeadwaterError = new ConnectionError("connection_lost");
    for (;;) {
      const delayMs = this.#backoff.next();
      if (delayMs === null) break;
      this.emit("reconnecting", { attempt: this.#backoff.attempt, delayMs });
      await this.#wait(delayMs);
      if (this.#isClosed()) return;
      const startedAt = Date.now();
      try {
        await this.#rejoin();
        return;
      } catch (error) {
        last = toError(error);
        this.#backoff.spend(Date.now() - startedAt);
        if (!last.retryable) break;
      }
    }
    this.#close(last.retryable ? new ConnectionError("connection_lost", { cause: last }) : last);
  }

  /** One attempt: a new socket, a join that names our place, then both sides brought together. */
  async #rejoin(): Promise<void> {
    const signaling = await this.#options.connect();
    const early: ServerMessage[] = [];
    const stop = signaling.on("message", (message) => early.push(message));
    let joined: Joined;
    try {
      const request = joinRequest({ ...this.#options, name: this.#name, token: this.#token });
      const resume = { resume: this.#joined.connection_id, restart: this.#restartMedia };
      joined = await signaling.request({ ...request, ...resume }, "joined");
    } catch (error) {
      signaling.close();
      throw error;
    }
    stop();
    if (this.#isClosed()) {
      signaling.close();
      return;
    }
    this.#adopt(signaling, joined);
    for (const message of early) this.#handle(message);
  }

  #adopt(signaling: Signaling, joined: Joined): void {
    const resumed = (joined.resumed ?? false) && !this.#restartMedia;
    this.#joined = joined;
    this.#token = joined.token ?? this.#token;
    this.#restartMedia = false;
    this.#listen(signaling);
    this.#reconcile(joined);
    this.#setState("connected");
    if (resumed) {
      this.publishTransport.resume();
      this.subscribeTransport.resume();
    } else {
      this.subscribeTransport.reset(this.#rtcConfiguration());
      this.publishTransport.reset(this.#rtcConfiguration());
    }
    this.emit("reconnected", { resumed });
  }

  /** People and tracks may have come and gone while we did not listen. */
  #reconcile({ participants }: Joined): void {
    const present = new Set(participants.map(({ id }) => id));
    for (const id of [...this.#participants.keys()]) {
      if (!present.has(id)) this.#dropParticipant(id, "left");
    }
    for (const info of participants) {
      const tracks = new Set((info.tracks ?? []).map(({ publisher_id: id }) => id));
      for (const { publisherId } of this.#participants.get(info.id)?.tracks ?? []) {
        if (!tracks.has(publisherId)) this.#dropTrack(info.id, publisherId);
      }
      this.#putParticipant(toParticipant(info));
    }
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#retryNow = null;
        resolve();
      };
      const timer = setTimeout(done, delayMs);
      this.#retryNow = done;
    });
  }

  /** The network is back: why wait? */
  readonly #onOnline = (): void => {
    if (this.#retryNow) this.#retryNow();
    else this.#signaling.probe();
  };

  // --- transports --------------------------------------------------------------------------------

  #wireTransports(): void {
    const { publishTransport: sending, subscribeTransport: receiving } = this;
    receiving.on("subscribed", (subscriber) => this.emit("subscribed", subscriber));
    receiving.on("unsubscribed", (subscriber) => this.emit("unsubscribed", subscriber));
    receiving.on("slotOpened", (slot) => this.emit("slotOpened", slot));
    receiving.on("slotClosed", (slot) => this.emit("slotClosed", slot));
    receiving.on("slotChanged", (slot) => this.emit("slotChanged", slot));
    receiving.on("data", (data) => this.emit("data", data));
    receiving.on("flowing", (flowing) => this.#onFlowing("receive", flowing));
    receiving.on("stall", (level) => this.#onStall(level));
    sending.on("flowing", (flowing) => this.#onFlowing("send", flowing));
    sending.on("failed", () => this.#onMediaFailed());
    receiving.on("failed", () => this.#onMediaFailed());
    // An offer that the browser cannot apply leaves the transport unusable: begin anew.
    receiving.on("error", () => this.#onMediaFailed());
  }

  #onFlowing(direction: "send" | "receive", flowing: boolean): void {
    if (flowing) this.#mediaFailures = 0;
    // Is it media alone, or the whole server? The socket's answer decides.
    else this.#signaling.probe();
    this.emit("flowing", { direction, flowing });
  }

  /** The ladder out of a silence: ask, find new paths, come back by a new socket, begin anew. */
  #onStall(level: StallLevel): void {
    this.emit("stall", level);
    if (this.#state !== "connected") return;
    switch (level) {
      case "stalled":
        this.#signaling.probe();
        break;
      case "restart":
        this.#restartPaths();
        break;
      case "rejoin":
        this.#signaling.close();
        break;
      case "replace":
        this.#onMediaFailed();
        break;
      case "flowing":
        break;
    }
  }

  #restartPaths(): void {
    // What cannot be asked for now is taken care of by the reconnection.
    void this.publishTransport.restartIce().catch(() => undefined);
    void this.subscribeTransport.restartIce().catch(() => undefined);
  }

  /** ICE restarts did not help: new transports for both directions, by a join of the same place. */
  #onMediaFailed(): void {
    if (this.#state !== "connected" || this.#restartMedia) return;
    this.#mediaFailures += 1;
    this.#restartMedia = true;
    if (this.#mediaFailures >= 2) this.emit("mediaBlocked", new ConnectionError("media_blocked"));
    this.#signaling.close();
  }

  #rtcConfiguration(): RTCConfiguration {
    const iceServers = (this.#joined.ice_servers ?? []) as unknown as RTCIceServer[];
    return { bundlePolicy: "max-bundle", ...this.#options.rtcConfiguration, iceServers };
  }

  #publishSignaling(): PublishSignaling {
    return {
      offer: async (sdp, tracks) => {
        const reply = await this.#signaling.request({ type: "offer", transport: "publish", sdp, tracks }, "answer");
        return { sdp: reply.sdp, tracks: "tracks" in reply ? (reply.tracks ?? []) : [] };
      },
      candidate: (candidate) => this.#sendCandidate("publish", candidate),
      mute: async (publisherId, muted) => {
        await this.#signaling.request({ type: "mute", publisher_id: publisherId, muted }, "pong");
      },
    };
  }

  #subscribeSignaling(): SubscribeSignaling {
    return {
      answer: (sdp) => this.#signaling.send({ type: "answer", transport: "subscribe", sdp }),
      candidate: (candidate) => this.#sendCandidate("subscribe", candidate),
      restartIce: async () => {
        await this.#signaling.request({ type: "restart_ice" }, "pong");
      },
      setLayers: async (publisherId, wish) => {
        await this.#signaling.request(toSetLayers(publisherId, wish), "pong");
      },
      why: async (publisherId) => toExplanation(await this.#signaling.request({ type: "why", publisher_id: publisherId }, "why")),
      setPaused: async (publisherId, paused) => {
        await this.#signaling.request({ type: "set_subscription", publisher_id: publisherId, paused }, "pong");
      },
      requestKeyFrame: async (publisherId) => {
        await this.#signaling.request({ type: "request_key_frame", publisher_id: publisherId }, "pong");
      },
    };
  }

  #sendCandidate(transport: "publish" | "subscribe", candidate: RTCIceCandidateInit | null): void {
    this.#signaling.send({ type: "candidate", transport, candidate: candidate as Record<string, unknown> | null });
  }

  // --- state -------------------------------------------------------------------------------------

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #setState(state: RoomState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
  }

  #close(error: HeadwaterError | null): void {
    if (this.#state === "closed") return;
    this.#setState("closed");
    globalThis.removeEventListener("online", this.#onOnline);
    this.#retryNow?.();
    this.publishTransport.close();
    this.subscribeTransport.close();
    if (error) this.#signaling.close();
    this.emit("closed", { error });
  }
}

function joinRequest({ meetingId, name, token }: Pick<RoomOptions, "meetingId" | "name" | "token">) {
  return { type: "join" as const, meeting_id: meetingId, name, ...(token === undefined ? {} : { token }) };
}

function* entriesOf(report: RTCStatsReport): Iterable<readonly [string, Readonly<Record<string, unknown>>]> {
  yield* report as unknown as Iterable<readonly [string, Readonly<Record<string, unknown>>]>;
}
