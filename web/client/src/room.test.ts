import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { HeadwaterError } from "./errors";
import type { Joined, ParticipantInfo } from "./generated/signaling";
import { Room } from "./room";
import { Signaling } from "./signaling";
import { FakePeerConnection, FakeSocket, fakeTrack, settle } from "./testing/fakes";

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

beforeEach(() => {
  vi.useFakeTimers();
  FakePeerConnection.instances = [];
  vi.stubGlobal("RTCPeerConnection", FakePeerConnection);
  vi.stubGlobal("addEventListener", () => undefined);
  vi.stubGlobal("removeEventListener", () => undefined);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
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
