/**
 * A call as the page shows it: the room's events turned into state, the toolbar's wishes turned into
 * calls on the room. Knows no elements.
 *
 * What one sends follows LocalMedia: the camera is published when it is first on; switched off, its
 * Publisher is muted and sends nothing, and its device is let go, so that its light goes out. What
 * changes devices or publications runs one after the other: each looks at what the one before it left.
 */

import {
  type Codec,
  type Content,
  type HeadwaterError,
  openScreen,
  type Participant,
  type Publisher,
  type Quality,
  type Room,
  type RoomState,
  type RoomStats,
  scoreQuality,
  SerialQueue,
  type Slot,
  type Subscriber,
  toError,
  transportQuality,
  worseQuality,
} from "@headwater/client";
import { SvelteMap } from "svelte/reactivity";
import type { LocalMedia } from "../media/localMedia.svelte";
import { type LayerChoice, wishOf } from "./layerChoice";
import { buildTiles, type Tile } from "./tiles";
import { voiceLevels } from "./voices";

/** Louder than this counts as speaking. */
const speakingLevel = 0.04;

export class Call {
  readonly room: Room;
  readonly media: LocalMedia;
  state = $state<RoomState>("connected");
  /** Media stopped getting through although the server is reachable. */
  stalled = $state(false);
  participants = $state.raw<readonly Participant[]>([]);
  subscribers = $state.raw<readonly Subscriber[]>([]);
  /** In a large meeting: where the loudest are heard. */
  slots = $state.raw<readonly Slot[]>([]);
  /** Who is heard there now: participant id by mid. */
  readonly heard = new SvelteMap<string, string>();
  screen = $state.raw<MediaStreamTrack | null>(null);
  stats = $state.raw<RoomStats | null>(null);
  /** For screen readers, and for a moment on the screen. */
  announcement = $state("");
  problem = $state.raw<HeadwaterError | null>(null);
  ended = $state.raw<{ readonly error: HeadwaterError | null } | null>(null);
  readonly levels = new SvelteMap<string, number>();
  readonly qualities = new SvelteMap<string, Quality>();
  /** Who speaks, in the server's opinion. */
  speaker = $state<string | null>(null);
  /** The turn in which each participant spoke last. */
  readonly spoke = new SvelteMap<string, number>();
  /** What was chosen for received tracks, by publisher id; without a choice the place decides. */
  readonly choices = new SvelteMap<string, LayerChoice>();
  screenContent = $state<Content>("detail");
  readonly startedAt = Date.now();
  readonly tiles: readonly Tile[];
  readonly #codec: Codec | undefined;
  readonly #sent = new Map<"camera" | "microphone" | "screen" | "screen_audio", Publisher>();
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  /** Changes of devices and of what is published. */
  readonly #works = new SerialQueue();
  /** What the server says of connections, by participant id. */
  readonly #scores = new Map<string, number>();
  #turn = 0;
  readonly #flowing = { send: true, receive: true };

  constructor(room: Room, media: LocalMedia, codec: Codec | undefined) {
    this.room = room;
    this.media = media;
    this.#codec = codec;
    this.tiles = $derived(
      buildTiles({
        self: { id: room.participantId, name: room.name },
        camera: this.media.camera,
        screen: this.screen,
        muted: this.media.muted || this.media.microphone === null,
        participants: this.participants,
        subscribers: this.subscribers,
      }),
    );
    this.#listen();
    this.#refresh();
    this.#timers.push(setInterval(() => this.#readLevels(), 120));
    this.#timers.push(setInterval(() => void this.#readStats(), 2_000));
  }

  /** Remote sound that has a track to itself, each to be played by an element of its own. */
  get sounds(): readonly Subscriber[] {
    return this.subscribers.filter(({ kind }) => kind === "audio");
  }

  /** Publishes what the device check left on. */
  async start(): Promise<void> {
    const sound = this.#work(async () => {
      const { microphone } = this.media;
      if (microphone) await this.#send("microphone", microphone, this.media.muted);
    });
    const picture = this.#work(async () => {
      const { camera } = this.media;
      if (camera) await this.#send("camera", camera);
    });
    await Promise.all([sound, picture]);
  }

  async toggleMute(): Promise<void> {
    const { media } = this;
    if (!media.microphone) {
      await this.useMicrophone();
      return;
    }
    // At once, whatever else is under way: who mutes must be able to rely on it.
    media.setMuted(!media.muted);
    this.announce(media.muted ? "You are muted" : "Others can hear you");
    await this.#work(async () => {
      const publisher = this.#sent.get("microphone");
      await (media.muted ? publisher?.mute() : publisher?.unmute());
    });
  }

  async toggleCamera(): Promise<void> {
    await this.#work(async () => {
      if (this.media.camera) await this.#stopCamera();
      else await this.#startCamera();
    });
  }

  /** Another camera, or the one that was off. */
  async useCamera(deviceId?: string): Promise<void> {
    await this.#work(() => this.#startCamera(deviceId));
  }

  async useMicrophone(deviceId?: string): Promise<void> {
    await this.#work(async () => {
      await this.media.startMicrophone(deviceId);
      const { microphone, microphoneError } = this.media;
      if (microphone) await this.#send("microphone", microphone, this.media.muted);
      else this.problem = microphoneError;
    });
  }

  async toggleScreen(): Promise<void> {
    if (this.screen) {
      await this.#work(() => this.#stopScreen());
      return;
    }
    await this.#guard(async () => {
      // Outside the queue: a person chooses, which takes as long as it takes.
      const { video, audio } = await openScreen(this.screenContent === "motion" ? "motion" : "detail");
      await this.#work(() => this.#startScreen(video, audio));
    });
  }

  /** Says what is shared: text, which must stay sharp, or moving pictures, which must stay smooth. */
  async setScreenContent(content: Content): Promise<void> {
    await this.#work(async () => {
      const { screen } = this;
      const publisher = this.#sent.get("screen");
      if (this.screenContent === content) return;
      this.screenContent = content;
      if (!screen || !publisher) return;
      await publisher.close();
      screen.contentHint = content;
      await this.#send("screen", screen);
    });
  }

  /** How a received picture is to come: as large as its place (auto), or always in one size. */
  async choose(subscriber: Subscriber, choice: LayerChoice): Promise<void> {
    this.choices.set(subscriber.publisherId, choice);
    await this.#guard(() => subscriber.setLayers(wishOf(choice)));
  }

  async leave(): Promise<void> {
    await this.room.leave();
  }

  announce(text: string): void {
    this.announcement = text;
  }

  /** Ends timers and the share; the devices are LocalMedia's. Idempotent. */
  close(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    this.screen?.stop();
    this.#sent.get("screen_audio")?.track?.stop();
    this.screen = null;
    void this.room.leave();
  }

  async #send(source: "camera" | "microphone" | "screen" | "screen_audio", track: MediaStreamTrack, muted = false): Promise<void> {
    const publisher = this.#sent.get(source);
    if (publisher && !publisher.closed) {
      await publisher.replaceTrack(track);
      await (muted ? publisher.mute() : publisher.unmute());
      return;
    }
    const preferredCodec = track.kind === "video" ? this.#codec : undefined;
    const content = source === "screen" ? this.screenContent : undefined;
    const options = { source, muted, ...(preferredCodec ? { preferredCodec } : {}), ...(content ? { content } : {}) };
    this.#sent.set(source, await this.room.publish(track, options));
  }

  async #startCamera(deviceId?: string): Promise<void> {
    await this.media.startCamera(deviceId);
    const { camera, cameraError } = this.media;
    if (!camera) {
      this.problem = cameraError;
      return;
    }
    this.announce("Your camera is on");
    await this.#send("camera", camera);
  }

  async #stopCamera(): Promise<void> {
    this.media.stopCamera();
    this.announce("Your camera is off");
    const publisher = this.#sent.get("camera");
    await publisher?.mute();
    await publisher?.replaceTrack(null);
  }

  async #startScreen(video: MediaStreamTrack, audio: MediaStreamTrack | null): Promise<void> {
    if (this.screen || this.ended) {
      // Asked for twice, or the call is over: one share is enough.
      for (const track of [video, audio]) track?.stop();
      return;
    }
    this.screen = video;
    // The browser's own "stop sharing" button.
    video.addEventListener("ended", () => {
      if (this.screen === video) void this.#work(() => this.#stopScreen());
    });
    try {
      await this.#send("screen", video);
      if (audio) await this.#send("screen_audio", audio);
      this.announce("You are sharing your screen");
    } catch (error) {
      await this.#stopScreen();
      throw error;
    }
  }

  async #stopScreen(): Promise<void> {
    const publishers = (["screen", "screen_audio"] as const).flatMap((source) => this.#sent.get(source) ?? []);
    this.#sent.delete("screen");
    this.#sent.delete("screen_audio");
    this.screen?.stop();
    if (this.screen) this.announce("You stopped sharing");
    this.screen = null;
    for (const publisher of publishers) {
      publisher.track?.stop();
      await publisher.close();
    }
  }

  #listen(): void {
    const { room } = this;
    room.on("state", (state) => {
      this.state = state;
      if (state === "reconnecting") this.announce("Connection lost. Reconnecting");
    });
    room.on("reconnected", () => this.announce("Connected again"));
    room.on("closed", (event) => (this.ended = event));
    room.on("mediaBlocked", (error) => (this.problem = error));
    room.on("flowing", ({ direction, flowing }) => {
      this.#flowing[direction] = flowing;
      this.stalled = !this.#flowing.receive || !this.#flowing.send;
      if (flowing && this.problem?.code === "media_blocked") this.problem = null;
    });
    room.on("activeSpeaker", ({ participantId }) => {
      this.speaker = participantId;
      if (participantId !== null) this.spoke.set(participantId, (this.#turn += 1));
    });
    room.on("quality", ({ participantId, score }) => this.#scores.set(participantId, score));
    room.on("subscribed", (subscriber) => {
      const choice = this.choices.get(subscriber.publisherId);
      if (choice) void this.choose(subscriber, choice);
    });
    room.on("participantJoined", ({ name }) => this.announce(`${name} joined`));
    room.on("participantLeft", ({ participant }) => this.announce(`${participant.name} left`));
    room.on("trackPublished", ({ source, participantId }) => {
      if (source === "screen") this.announce(`${room.participants.get(participantId)?.name ?? "Somebody"} shares a screen`);
    });
    const refresh = (): void => this.#refresh();
    room.on("participantJoined", refresh);
    room.on("participantUpdated", refresh);
    room.on("participantLeft", refresh);
    room.on("subscribed", refresh);
    room.on("unsubscribed", refresh);
    room.on("slotOpened", () => this.#refreshSlots());
    room.on("slotChanged", () => this.#refreshSlots());
    room.on("slotClosed", () => this.#refreshSlots());
  }

  #refresh(): void {
    this.participants = [...this.room.participants.values()];
    this.subscribers = [...this.room.subscribers.values()];
    this.#refreshSlots();
  }

  #refreshSlots(): void {
    this.slots = [...this.room.slots.values()];
    this.heard.clear();
    for (const { mid, publisherId } of this.slots) {
      const owner = publisherId === null ? null : this.room.ownerOf(publisherId);
      if (owner) this.heard.set(mid, owner.id);
    }
  }

  #readLevels(): void {
    const own = this.media.level > 0.35 ? this.media.level / 3 : 0;
    const levels = voiceLevels([this.room.participantId, own], this.sounds, this.slots, this.heard);
    for (const id of [...this.levels.keys()]) if (!levels.has(id)) this.levels.delete(id);
    for (const [id, level] of levels) {
      // Small steps only, so that a quiet room draws nothing anew.
      const shown = level > speakingLevel ? Math.round(Math.min(1, level * 2.5) * 5) / 5 : 0;
      if (this.levels.get(id) !== shown) this.levels.set(id, shown);
    }
  }

  async #readStats(): Promise<void> {
    const stats = await this.room.getStats().catch(() => null);
    if (!stats || this.ended) return;
    this.stats = stats;
    this.#setQuality(this.room.participantId, transportQuality(stats.publish, this.#flowing.send));
    for (const { id } of this.participants) {
      const mids = new Set(this.subscribers.filter(({ participantId }) => participantId === id).map(({ mid }) => mid));
      const tracks = stats.subscribe.tracks.filter(({ mid }) => mid !== null && mids.has(mid));
      if (tracks.length) this.#setQuality(id, transportQuality({ ...stats.subscribe, tracks }, this.#flowing.receive));
      else this.qualities.delete(id);
    }
  }

  /** What we see ourselves, or what the server sees, whichever is worse. */
  #setQuality(participantId: string, seen: Quality): void {
    const score = this.#scores.get(participantId);
    this.qualities.set(participantId, score === undefined ? seen : worseQuality(seen, scoreQuality(score)));
  }

  async #work(action: () => Promise<void>): Promise<void> {
    await this.#guard(() => this.#works.run(action));
  }

  /** Shows what went wrong instead of throwing it at a click handler. */
  async #guard(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      const problem = toError(error);
      const expected = problem.code === "screen_cancelled" || problem.code === "closed" || this.ended !== null;
      if (!expected) this.problem = problem;
    }
  }
}
