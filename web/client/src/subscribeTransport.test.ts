import { describe, expect, it, vi } from "vitest";
import type { TrackInfo } from "./generated/signaling";
import { planAssignment, SubscribeTransport, type SubscribeSignaling } from "./subscribeTransport";
import { FakePeerConnection, fakeTheBrowser } from "./testing/fakes";

function info(publisherId: string, mid: string | null, extra: Partial<TrackInfo> = {}): TrackInfo {
  return { publisher_id: publisherId, participant_id: `of ${publisherId}`, kind: "video", mid, ...extra };
}

function makeSignaling() {
  return {
    answer: vi.fn(),
    candidate: vi.fn(),
    restartIce: vi.fn(() => Promise.resolve()),
    setPaused: vi.fn(() => Promise.resolve()),
    requestKeyFrame: vi.fn(() => Promise.resolve()),
    setLayers: vi.fn(() => Promise.resolve()),
    why: vi.fn(() => Promise.reject(new Error("not asked here"))),
  } satisfies SubscribeSignaling;
}

fakeTheBrowser();

describe("planAssignment", () => {
  it("adds what is new, keeps what stayed, removes what is not offered", () => {
    const current = new Map([["a", { mid: "0" }], ["b", { mid: "1" }]]);
    const plan = planAssignment(current, [info("b", "1"), info("c", "2")]);
    expect(plan.removed).toEqual(["a"]);
    expect(plan.kept.map(({ publisher_id: id }) => id)).toEqual(["b"]);
    expect(plan.added).toEqual([{ info: info("c", "2"), mid: "2" }]);
  });

  it("gives an m-line that was freed to its next publisher", () => {
    const plan = planAssignment(new Map([["old", { mid: "0" }]]), [info("new", "0")]);
    expect(plan.removed).toEqual(["old"]);
    expect(plan.added).toEqual([{ info: info("new", "0"), mid: "0" }]);
  });

  it("takes a publisher that moved to another m-line for a new one", () => {
    const plan = planAssignment(new Map([["a", { mid: "0" }]]), [info("a", "3")]);
    expect(plan.removed).toEqual(["a"]);
    expect(plan.added).toHaveLength(1);
  });

  it("ignores tracks that the offer does not carry", () => {
    expect(planAssignment(new Map(), [info("a", null)]).added).toEqual([]);
  });
});

describe("SubscribeTransport", () => {
  it("answers an offer and hands out the receiver of the named m-line", async () => {
    const signaling = makeSignaling();
    const transport = new SubscribeTransport(signaling);
    const subscribed = vi.fn();
    transport.on("subscribed", subscribed);
    await transport.handleOffer({
      sdp: "audio video",
      tracks: [info("v", "1", { source: "screen", participant_id: "ada" }), info("a", "0", { kind: "audio", muted: true })],
    });
    expect(signaling.answer).toHaveBeenCalledWith("answer");
    const video = transport.subscribers.get("v")!;
    expect(video).toMatchObject({ participantId: "ada", source: "screen", mid: "1", muted: false });
    expect(video.track).toBe(FakePeerConnection.latest.transceivers[1]!.receiver.track);
    expect(transport.subscribers.get("a")).toMatchObject({ kind: "audio", muted: true });
    expect(subscribed).toHaveBeenCalledTimes(2);
  });

  it("keeps a subscriber through later offers and updates what the server says of it", async () => {
    const transport = new SubscribeTransport(makeSignaling());
    await transport.handleOffer({ sdp: "video", tracks: [info("v", "0")] });
    const before = transport.subscribers.get("v");
    await transport.handleOffer({ sdp: "video audio", tracks: [info("v", "0", { muted: true }), info("a", "1")] });
    expect(transport.subscribers.get("v")).toBe(before);
    expect(before?.muted).toBe(true);
  });

  it("applies offers one after the other, each answered", async () => {
    const signaling = makeSignaling();
    const transport = new SubscribeTransport(signaling);
    await Promise.all([
      transport.handleOffer({ sdp: "video", tracks: [info("a", "0")] }),
      transport.handleOffer({ sdp: "video", tracks: [] }),
      transport.handleOffer({ sdp: "video", tracks: [info("b", "0")] }),
    ]);
    expect(signaling.answer).toHaveBeenCalledTimes(3);
    expect([...transport.subscribers.keys()]).toEqual(["b"]);
  });

  it("closes all subscribers and starts a new connection on reset", async () => {
    const transport = new SubscribeTransport(makeSignaling());
    const unsubscribed = vi.fn();
    transport.on("unsubscribed", unsubscribed);
    await transport.handleOffer({ sdp: "video", tracks: [info("v", "0")] });
    transport.reset();
    expect(unsubscribed).toHaveBeenCalledOnce();
    expect(FakePeerConnection.instances.map(({ connectionState }) => connectionState)).toEqual(["closed", "new"]);
  });

  it("does not answer on a connection that was reset while it worked", async () => {
    const signaling = makeSignaling();
    const transport = new SubscribeTransport(signaling);
    const applying = transport.handleOffer({ sdp: "video", tracks: [info("v", "0")] });
    transport.reset();
    await applying;
    expect(signaling.answer).not.toHaveBeenCalled();
    expect(transport.subscribers.size).toBe(0);
  });

  it("tells of an offer that cannot be applied instead of swallowing it", async () => {
    const transport = new SubscribeTransport(makeSignaling());
    const failed = vi.fn();
    transport.on("error", failed);
    await transport.handleOffer({ sdp: "broken", tracks: [] });
    expect(failed).toHaveBeenCalledOnce();
  });

  it("asks again for what was asked for when the connection is replaced", async () => {
    const signaling = makeSignaling();
    const transport = new SubscribeTransport(signaling);
    await transport.handleOffer({ sdp: "video", tracks: [info("a", "0")] });
    await transport.subscribers.get("a")?.setSize(640, 360);
    await transport.subscribers.get("a")?.pause();
    signaling.setLayers.mockClear();
    signaling.setPaused.mockClear();
    transport.reset();
    await transport.handleOffer({ sdp: "video", tracks: [info("a", "0"), info("b", "0")] });
    await vi.advanceTimersByTimeAsync(0);
    expect(transport.subscribers.get("a")?.paused).toBe(true);
    expect(signaling.setPaused.mock.calls).toEqual([["a", true]]);
    expect(signaling.setLayers.mock.calls).toEqual([["a", { width: 640, height: 360 }]]);
  });

  it("lets an explicit wish count more than the size of the place", async () => {
    const signaling = makeSignaling();
    const transport = new SubscribeTransport(signaling);
    await transport.handleOffer({ sdp: "video", tracks: [info("a", "0")] });
    const subscriber = transport.subscribers.get("a");
    await subscriber?.setLayers({ spatial: 0 });
    await subscriber?.setSize(1280, 720);
    await subscriber?.setLayers(null);
    expect(signaling.setLayers.mock.calls).toEqual([["a", { spatial: 0 }], ["a", { width: 1280, height: 720 }]]);
  });

  it("keeps a slot and its track while one voice follows the other", async () => {
    const transport = new SubscribeTransport(makeSignaling());
    const opened = vi.fn();
    const changed = vi.fn();
    transport.on("slotOpened", opened);
    transport.on("slotChanged", changed);
    await transport.handleOffer({ sdp: "audio audio", tracks: [], slots: [{ mid: "0", publisher_id: "ada" }, { mid: "1" }] });
    const slot = transport.slots.get("0")!;
    expect(opened).toHaveBeenCalledTimes(2);
    expect(slot.track).toBe(FakePeerConnection.latest.transceivers[0]!.receiver.track);
    expect([slot.publisherId, transport.slots.get("1")?.publisherId]).toEqual(["ada", null]);
    transport.setSlot("0", "bob");
    transport.setSlot("0", "bob");
    expect(changed.mock.calls).toEqual([[slot]]);
    expect(slot.publisherId).toBe("bob");
    await transport.handleOffer({ sdp: "audio audio video", tracks: [info("v", "2")], slots: [{ mid: "0" }, { mid: "1" }] });
    expect(transport.slots.get("0")).toBe(slot);
    expect(slot.publisherId).toBeNull();
  });

  it("believes the newest word on a slot, though it comes while the offer is applied", async () => {
    const transport = new SubscribeTransport(makeSignaling());
    const applying = transport.handleOffer({ sdp: "audio", tracks: [], slots: [{ mid: "0", publisher_id: "ada" }] });
    transport.setSlot("0", "bob");
    await applying;
    expect(transport.slots.get("0")?.publisherId).toBe("bob");
  });

  it("closes slots that an offer lacks, and all when the connection is replaced", async () => {
    const transport = new SubscribeTransport(makeSignaling());
    const closed: string[] = [];
    transport.on("slotClosed", ({ mid }) => closed.push(mid));
    await transport.handleOffer({ sdp: "audio audio", tracks: [], slots: [{ mid: "0", publisher_id: "ada" }, { mid: "1" }] });
    await transport.handleOffer({ sdp: "audio audio", tracks: [], slots: [{ mid: "1" }] });
    expect(closed).toEqual(["0"]);
    transport.reset();
    expect(closed).toEqual(["0", "1"]);
    expect(transport.slots.size).toBe(0);
  });

  it("keeps the heartbeat to itself, and asks for it", () => {
    const transport = new SubscribeTransport(makeSignaling());
    const labels: string[] = [];
    transport.on("data", ({ label }) => labels.push(label));
    const sent: string[] = [];
    const channel = { label: "headwater-heartbeat", readyState: "open", send: (text: string) => sent.push(text), onmessage: null };
    FakePeerConnection.latest.ondatachannel?.({ channel });
    FakePeerConnection.latest.ondatachannel?.({ channel: { label: "chat", readyState: "open" } });
    expect(labels).toEqual(["chat"]);
    expect(sent).toEqual(["1"]);
  });
});
