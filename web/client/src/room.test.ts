import { beforeEach, describe, expect, it, vi } from "vitest";
import type { HeadwaterError } from "./errors";
import type { Joined, ParticipantInfo } from "./generated/signaling";
import { Room } from "./room";
import { Signaling } from "./signaling";
import { FakePeerConnection, FakeSocket, fakeTheBrowser, fakeTrack, settle } from "./testing/fakes";

const ada: ParticipantInfo = { id: "ada", name: "Ada", identity: "ada@x", tracks: [] };
const grace: ParticipantInfo = { id: "grace", name: "Grace", identity: "grace@x", tracks: [] };

/** Plays the server for one room over as many sockets as the room opens. */
class FakeMeeting {
  readonly sockets: FakeSocket[] = [];
  /** `null` keeps the server unreachable. */
  reply: ((join: Readonly<Record<string, unknown>>) => Partial<Joined> | { readonly refuse: number; readonly code: string }) | null =
    () => ({});

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }

  readonly connect = (): Promise<Signaling> => {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    const connecting = Signaling.connect("ws://test", { createSocket: () => socket.asWebSocket() });
    if (this.reply) {
      socket.open();
      void connecting.then(() => settle()).then(() => this.#answerJoin(socket));
    } else {
      socket.onerror?.();
    }
    return connecting;
  };

  #answerJoin(socket: FakeSocket): void {
    const join = socket.last("join");
    const answer = this.reply?.(join) ?? {};
    if ("refuse" in answer) {
      const problem = { type: "about:blank", title: "", status: answer.refuse, code: answer.code };
      socket.receive({ type: "error", id: join.id!, problem });
      return;
    }
    const participants = [ada];
    socket.receive({
      ...{ type: "joined", participant_id: "me", meeting_id: "m", connection_id: "n.1", name: "Me", role: "host", participants },
      ...answer,
      id: join.id!,
    });
  }
}

async function joined(meeting = new FakeMeeting()): Promise<{ meeting: FakeMeeting; room: Room }> {
  const room = await Room.join({ meetingId: "m", name: "Me", token: "t1", connect: meeting.connect, random: () => 0 });
  return { meeting, room };
}

fakeTheBrowser();
beforeEach(() => {
  vi.stubGlobal("addEventListener", () => undefined);
  vi.stubGlobal("removeEventListener", () => undefined);
});

describe("Room.join", () => {
  it("introduces itself and lists who is there, without oneself", async () => {
    const meeting = new FakeMeeting();
    meeting.reply = () => ({ participants: [ada, { ...ada, id: "me" }] });
    const { room } = await joined(meeting);
    expect(meeting.socket.last("join")).toMatchObject({ meeting_id: "m", name: "Me", token: "t1" });
    expect([...room.participants.keys()]).toEqual(["ada"]);
    expect(room.participantId).toBe("me");
  });

  it("rejects with the server's refusal and closes the socket", async () => {
    const meeting = new FakeMeeting();
    meeting.reply = () => ({ refuse: 404, code: "not_found" });
    await expect(joined(meeting)).rejects.toMatchObject({ code: "meeting_not_found" });
    expect(meeting.socket.readyState).toBe(3);
  });
});

describe("Slots", () => {
  it("tell whose voice is heard as it changes", async () => {
    const { meeting, room } = await joined();
    const heard: unknown[] = [];
    const note = (): number => heard.push([...room.slots.values()].map(({ publisherId }) => publisherId && room.ownerOf(publisherId)?.name));
    room.on("slotOpened", note);
    room.on("slotChanged", note);
    for (const [publisher_id, participant_id] of [["p", "ada"], ["q", "ada"]] as const) {
      meeting.socket.receive({ type: "track_published", track: { publisher_id, participant_id, kind: "audio" } });
    }
    meeting.socket.receive({ type: "offer", sdp: "audio", tracks: [], slots: [{ mid: "0", publisher_id: "p" }] });
    await settle();
    meeting.socket.receive({ type: "slot_changed", mid: "0", publisher_id: "gone" });
    meeting.socket.receive({ type: "slot_changed", mid: "0" });
    meeting.socket.receive({ type: "slot_changed", mid: "0", publisher_id: "q" });
    expect(heard).toEqual([["Ada"], [undefined], [null], ["Ada"]]);
  });
});

describe("Layers", () => {
  async function receiving() {
    const { meeting, room } = await joined();
    const track = { publisher_id: "p", participant_id: "ada", kind: "video" as const, mid: "0" };
    meeting.socket.receive({ type: "offer", sdp: "video", tracks: [track] });
    await settle();
    const subscriber = room.subscribers.get("p");
    if (!subscriber) throw new Error("nothing was subscribed");
    return { meeting, room, subscriber };
  }

  it("tells which layer comes through, and why", async () => {
    const { meeting, room, subscriber } = await receiving();
    const heard: unknown[] = [];
    room.on("layerChanged", (change) => heard.push(change));
    const [low, high] = [{ spatial: 0, temporal: 1 }, { spatial: 2, temporal: 2 }];
    meeting.socket.receive({ type: "layer_changed", publisher_id: "p", to: high, reason: "start" });
    meeting.socket.receive({ type: "layer_changed", publisher_id: "p", from: high, to: low, reason: "bandwidth", estimate: 300_000 });
    meeting.socket.receive({ type: "layer_changed", publisher_id: "gone", to: low, reason: "start" });
    expect(heard).toEqual([
      { subscriber, from: null, to: high, reason: "start", estimate: null },
      { subscriber, from: high, to: low, reason: "bandwidth", estimate: 300_000 },
    ]);
    expect(subscriber.current).toEqual(low);
  });

  it("asks for layers and for the reasons in the server's terms", async () => {
    const { meeting, subscriber } = await receiving();
    void subscriber.setLayers({ spatial: 1, maxFps: 15, priority: 200 });
    await settle();
    expect(meeting.socket.last("set_layers")).toMatchObject({ publisher_id: "p", spatial: 1, max_fps: 15, priority: 200 });
    const asked = subscriber.why();
    const decision = { ago_ms: 40, kind: "current" as const, facts: { to_spatial: 0, to_temporal: 0, reason: "bandwidth" } };
    const bare = { ago_ms: 50, kind: "queue_dropped" as const };
    meeting.socket.receive({ type: "why", id: meeting.socket.last("why").id!, publisher_id: "p", estimate: 9, decisions: [decision, bare] });
    const { decisions, estimate, target } = await asked;
    expect([estimate, target]).toEqual([9, null]);
    expect(decisions).toEqual([
      { agoMs: 40, kind: "current", facts: decision.facts },
      { agoMs: 50, kind: "queue_dropped", facts: {} },
    ]);
  });

  it("tells who speaks and how connections work", async () => {
    const { meeting, room } = await joined();
    const heard: unknown[] = [];
    room.on("activeSpeaker", (speaker) => heard.push(speaker));
    room.on("quality", (quality) => heard.push(quality));
    meeting.socket.receive({ type: "active_speaker", publisher_id: "p", participant_id: "ada" });
    meeting.socket.receive({ type: "active_speaker" });
    meeting.socket.receive({ type: "quality", participant_id: "me", score: 40 });
    expect(heard).toEqual([
      { publisherId: "p", participantId: "ada" },
      { publisherId: null, participantId: null },
      { participantId: "me", score: 40 },
    ]);
  });
});

describe("Stalls", () => {
  /** In a call with a heartbeat, which then stops. */
  async function silent() {
    const { meeting, room } = await joined();
    await publishing(meeting, room);
    const [, receivingPc] = FakePeerConnection.instances;
    const channel = { label: "headwater-heartbeat", readyState: "open", send: () => undefined, onmessage: (): void => undefined };
    receivingPc?.ondatachannel?.({ channel });
    channel.onmessage();
    return { meeting, room, channel };
  }

  async function publishing(meeting: FakeMeeting, room: Room): Promise<void> {
    const published = room.publish(fakeTrack("audio"), { source: "microphone" });
    await settle();
    const tracks = [{ mid: "0", publisher_id: "own" }];
    meeting.socket.receive({ type: "answer", sdp: "answer", id: meeting.socket.last("offer").id!, tracks });
    await published;
  }

  it("asks the server, then restarts both paths, then comes back by a new socket to the same place", async () => {
    const { meeting, room } = await silent();
    const flowing: boolean[] = [];
    room.on("flowing", (change) => flowing.push(change.flowing));
    await vi.advanceTimersByTimeAsync(1_000);
    expect([meeting.socket.count("ping"), meeting.socket.count("restart_ice")]).toEqual([1, 0]);
    await vi.advanceTimersByTimeAsync(400);
    expect(meeting.socket.count("restart_ice")).toBe(1);
    expect(FakePeerConnection.instances[0]?.iceRestarts.at(-1)).toBe(true);
    expect(meeting.sockets).toHaveLength(1);
    meeting.reply = () => ({ resumed: true });
    await vi.advanceTimersByTimeAsync(1_800);
    expect(meeting.sockets).toHaveLength(2);
    expect(meeting.socket.last("join")).toMatchObject({ resume: "n.1", restart: false });
    expect(meeting.socket.count("restart_ice")).toBe(1);
    expect([room.state, room.participantId]).toEqual(["connected", "me"]);
    expect(FakePeerConnection.instances).toHaveLength(2);
  });

  it("begins with new connections when no path is found, and does nothing more when one is", async () => {
    const { meeting, channel, room } = await silent();
    meeting.reply = () => ({ resumed: true });
    await vi.advanceTimersByTimeAsync(8_500);
    expect(meeting.sockets).toHaveLength(3);
    expect(meeting.socket.last("join")).toMatchObject({ restart: true });
    expect(FakePeerConnection.instances).toHaveLength(4);
    channel.onmessage();
    expect(room.state).toBe("connected");
  });

  it("goes on as if nothing had happened when the first beat comes", async () => {
    const { meeting, room, channel } = await silent();
    await vi.advanceTimersByTimeAsync(1_100);
    for (let beat = 0; beat < 40; beat += 1) {
      channel.onmessage();
      await vi.advanceTimersByTimeAsync(250);
      meeting.socket.receive({ type: "pong" });
    }
    expect([meeting.sockets.length, meeting.socket.count("restart_ice"), room.state]).toEqual([1, 0, "connected"]);
  });
});

describe("Room events", () => {
  it("follows people and their tracks", async () => {
    const { meeting, room } = await joined();
    const heard: string[] = [];
    room.on("participantJoined", ({ id }) => heard.push(`joined ${id}`));
    room.on("trackPublished", ({ publisherId }) => heard.push(`published ${publisherId}`));
    room.on("trackUpdated", ({ muted }) => heard.push(`muted ${muted}`));
    room.on("trackUnpublished", ({ publisherId }) => heard.push(`unpublished ${publisherId}`));
    room.on("participantLeft", ({ participant }) => heard.push(`left ${participant.id}`));
    const track = { publisher_id: "p", participant_id: "grace", kind: "audio" as const };
    meeting.socket.receive({ type: "participant_joined", participant: grace });
    meeting.socket.receive({ type: "track_published", track });
    meeting.socket.receive({ type: "track_updated", track: { ...track, muted: true } });
    meeting.socket.receive({ type: "participant_left", participant_id: "grace" });
    expect(heard).toEqual(["joined grace", "published p", "muted true", "unpublished p", "left grace"]);
    expect([...room.participants.keys()]).toEqual(["ada"]);
  });

  it("ignores messages it does not know and people it never heard of", async () => {
    const { meeting, room } = await joined();
    meeting.socket.receive('{"type":"from_the_future"}');
    meeting.socket.receive({ type: "participant_left", participant_id: "nobody" });
    meeting.socket.receive({ type: "track_unpublished", participant_id: "nobody", publisher_id: "p" });
    expect(room.state).toBe("connected");
  });

  it("ends with the server's reason", async () => {
    const { meeting, room } = await joined();
    const closed = vi.fn<(event: { readonly error: HeadwaterError | null }) => void>();
    room.on("closed", closed);
    meeting.socket.receive({ type: "bye", reason: "removed" });
    expect(closed.mock.calls[0]?.[0].error?.code).toBe("removed");
    expect(FakePeerConnection.instances.every(({ connectionState }) => connectionState === "closed")).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(meeting.sockets).toHaveLength(1);
  });

  it("starts one transport over when the server lost it", async () => {
    const { meeting, room } = await joined();
    const before = FakePeerConnection.instances.length;
    meeting.socket.receive({ type: "transport_closed", transport: "subscribe", reason: "timeout" });
    expect(FakePeerConnection.instances).toHaveLength(before + 1);
    expect(room.state).toBe("connected");
  });
});

describe("Room reconnection", () => {
  it("takes its place again, with the newest token, and keeps media that still flows", async () => {
    const { meeting, room } = await joined();
    await publishCamera(meeting, room);
    meeting.socket.receive({ type: "token", token: "t2", expires_at: 1 });
    const connections = FakePeerConnection.instances.length;
    meeting.reply = () => ({ resumed: true });
    const reconnected = vi.fn();
    room.on("reconnected", reconnected);
    meeting.socket.drop();
    expect(room.state).toBe("reconnecting");
    expect([...room.participants.keys()]).toEqual(["ada"]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(meeting.socket.last("join")).toMatchObject({ resume: "n.1", token: "t2", restart: false });
    expect(reconnected).toHaveBeenCalledWith({ resumed: true });
    expect(room.state).toBe("connected");
    expect(FakePeerConnection.instances).toHaveLength(connections);
  });

  it("publishes again on new connections when its place was lost", async () => {
    const { meeting, room } = await joined();
    const publisher = await publishCamera(meeting, room);
    meeting.reply = () => ({ participant_id: "me-again", resumed: false });
    meeting.socket.drop();
    await vi.advanceTimersByTimeAsync(1_000);
    const offer = meeting.socket.last("offer");
    expect(offer["tracks"]).toEqual([{ mid: "0", source: "camera", muted: false }]);
    meeting.socket.receive({ type: "answer", sdp: "answer", id: offer.id!, tracks: [{ mid: "0", publisher_id: "second" }] });
    await settle();
    expect(publisher.id).toBe("second");
    expect(room.participantId).toBe("me-again");
  });

  it("tells who came and went in the meantime", async () => {
    const { meeting, room } = await joined();
    const heard: string[] = [];
    room.on("participantJoined", ({ id }) => heard.push(`joined ${id}`));
    room.on("participantLeft", ({ participant }) => heard.push(`left ${participant.id}`));
    meeting.reply = () => ({ resumed: true, participants: [grace] });
    meeting.socket.drop();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(heard).toEqual(["left ada", "joined grace"]);
  });

  it("keeps trying with growing delays while the server is away, then goes on", async () => {
    const { meeting, room } = await joined();
    const delays: number[] = [];
    room.on("reconnecting", ({ delayMs }) => delays.push(delayMs));
    meeting.reply = null;
    meeting.socket.drop();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(delays.length).toBeGreaterThan(3);
    expect(delays).toEqual([...delays].sort((a, b) => a - b));
    meeting.reply = () => ({ resumed: true });
    await vi.advanceTimersByTimeAsync(8_000);
    expect(room.state).toBe("connected");
  });

  it("gives up after a while and says why", async () => {
    const { meeting, room } = await joined();
    const closed = vi.fn<(event: { readonly error: HeadwaterError | null }) => void>();
    room.on("closed", closed);
    meeting.reply = null;
    meeting.socket.drop();
    await vi.advanceTimersByTimeAsync(10 * 60_000);
    expect(closed.mock.calls[0]?.[0].error?.code).toBe("connection_lost");
  });

  it("does not knock again where it was refused for good", async () => {
    const { meeting, room } = await joined();
    const closed = vi.fn<(event: { readonly error: HeadwaterError | null }) => void>();
    room.on("closed", closed);
    meeting.reply = () => ({ refuse: 401, code: "token_expired" });
    meeting.socket.drop();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(meeting.sockets).toHaveLength(2);
    expect(closed.mock.calls[0]?.[0].error?.code).toBe("token_expired");
  });

  it("stops at once when the person leaves meanwhile", async () => {
    const { meeting, room } = await joined();
    meeting.reply = null;
    meeting.socket.drop();
    const leaving = room.leave();
    await vi.advanceTimersByTimeAsync(60_000);
    await leaving;
    expect(meeting.sockets).toHaveLength(1);
    expect(room.state).toBe("closed");
  });

  it("asks for new transports when restarts of the path led nowhere", async () => {
    const { meeting, room } = await joined();
    meeting.reply = () => ({ resumed: false });
    const subscribing = FakePeerConnection.instances[1]!;
    subscribing.become("connected");
    for (let round = 0; round < 4; round += 1) {
      subscribing.become("failed");
      await settle();
    }
    await vi.advanceTimersByTimeAsync(1_000);
    expect(meeting.socket.last("join")).toMatchObject({ resume: "n.1", restart: true });
    expect(room.state).toBe("connected");
  });
});

describe("Room.leave", () => {
  it("tells the server, closes both connections, and does so once", async () => {
    const { meeting, room } = await joined();
    const closed = vi.fn();
    room.on("closed", closed);
    const leaving = room.leave();
    meeting.socket.receive({ type: "left", id: meeting.socket.last("leave").id! });
    await leaving;
    await room.leave();
    expect(meeting.socket.count("leave")).toBe(1);
    expect(closed).toHaveBeenCalledExactlyOnceWith({ error: null });
    expect(FakePeerConnection.instances.every(({ connectionState }) => connectionState === "closed")).toBe(true);
  });
});

async function publishCamera(meeting: FakeMeeting, room: Room) {
  const publishing = room.publish(fakeTrack("video"), { source: "camera" });
  await settle();
  const offer = meeting.socket.last("offer");
  meeting.socket.receive({ type: "answer", sdp: "answer", id: offer.id!, tracks: [{ mid: "0", publisher_id: "first" }] });
  return await publishing;
}
