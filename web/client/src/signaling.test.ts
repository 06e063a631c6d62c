import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ConnectionError, type HeadwaterError, ServerError } from "./errors";
import type { ServerMessage } from "./generated/signaling";
import { Signaling } from "./signaling";
import { FakeSocket } from "./testing/fakes";

async function connected(): Promise<{ socket: FakeSocket; signaling: Signaling }> {
  const socket = new FakeSocket();
  const opening = Signaling.connect("ws://test", { createSocket: () => socket.asWebSocket() });
  socket.open();
  return { socket, signaling: await opening };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("Signaling", () => {
  it("gives each request its own id and resolves it with the reply that repeats it", async () => {
    const { socket, signaling } = await connected();
    const first = signaling.request({ type: "ping" }, "pong");
    const second = signaling.request({ type: "leave" }, "left");
    const [a, b] = [socket.sent[0]!.id, socket.sent[1]!.id];
    expect(a).not.toBe(b);
    socket.receive({ type: "left", id: b! });
    socket.receive({ type: "pong", id: a! });
    expect((await second).type).toBe("left");
    expect((await first).type).toBe("pong");
  });

  it("rejects a request with the server's problem", async () => {
    const { socket, signaling } = await connected();
    const request = signaling.request({ type: "ping" }, "pong");
    socket.receive({
      type: "error",
      id: socket.sent[0]!.id!,
      problem: { type: "about:blank", title: "Full", status: 503, code: "limit_reached" },
    });
    const error = await request.catch((thrown: unknown) => thrown as HeadwaterError);
    expect(error).toBeInstanceOf(ServerError);
    expect((error as HeadwaterError).code).toBe("server_full");
  });

  it("rejects a request with a reply of another type instead of handing it out as what it is not", async () => {
    const { socket, signaling } = await connected();
    const request = signaling.request({ type: "leave" }, "left");
    socket.receive({ type: "pong", id: socket.sent[0]!.id! });
    await expect(request).rejects.toBeInstanceOf(ConnectionError);
  });

  it("emits what answers no request, and nothing for frames that are no messages", async () => {
    const { socket, signaling } = await connected();
    const messages: ServerMessage[] = [];
    signaling.on("message", (message) => messages.push(message));
    for (const junk of ["", "not json", "42", "null", "[]", '{"no":"type"}']) socket.receive(junk);
    socket.receive({ type: "participant_left", participant_id: "a" });
    expect(messages).toEqual([{ type: "participant_left", participant_id: "a" }]);
  });

  it("times a request out and ignores a reply that comes later", async () => {
    const { socket, signaling } = await connected();
    const request = signaling.request({ type: "ping" }, "pong");
    const failed = expect(request).rejects.toMatchObject({ code: "timed_out" });
    // Something else keeps arriving: the server lives, it only never replies.
    for (let second = 0; second < 13; second += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      socket.receive({ type: "pong" });
    }
    await failed;
    socket.receive({ type: "pong", id: socket.sent[0]!.id! });
    expect(signaling.closed).toBe(false);
  });

  it("takes a silent server for gone, once, and rejects what is open", async () => {
    const { signaling } = await connected();
    const closed = vi.fn();
    signaling.on("closed", closed);
    const request = signaling.request({ type: "leave" }, "left");
    const failed = expect(request).rejects.toMatchObject({ code: "connection_lost" });
    await vi.advanceTimersByTimeAsync(8_100);
    await failed;
    expect(closed).toHaveBeenCalledOnce();
    signaling.close();
    expect(closed).toHaveBeenCalledOnce();
  });

  it("stays open while pings are answered", async () => {
    const { socket, signaling } = await connected();
    for (let round = 0; round < 10; round += 1) {
      await vi.advanceTimersByTimeAsync(4_000);
      expect(socket.count("ping")).toBe(round + 1);
      socket.receive({ type: "pong" });
    }
    expect(signaling.closed).toBe(false);
  });

  it("reports a socket that breaks", async () => {
    const { socket, signaling } = await connected();
    const closed = vi.fn();
    signaling.on("closed", closed);
    socket.drop();
    expect(closed).toHaveBeenCalledOnce();
    await expect(signaling.request({ type: "ping" }, "pong")).rejects.toMatchObject({ code: "connection_lost" });
  });

  it("rejects connecting to a server that is not there, or never answers", async () => {
    const refused = new FakeSocket();
    const refusing = Signaling.connect("ws://test", { createSocket: () => refused.asWebSocket() });
    refused.onerror?.();
    await expect(refusing).rejects.toMatchObject({ code: "server_unreachable" });

    const silent = new FakeSocket();
    const waiting = expect(
      Signaling.connect("ws://test", { createSocket: () => silent.asWebSocket() }),
    ).rejects.toMatchObject({ code: "timed_out" });
    await vi.advanceTimersByTimeAsync(8_000);
    await waiting;
  });
});
