import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { IceWatch } from "./iceWatch";
import { FakePeerConnection } from "./testing/fakes";

type Watched = {
  readonly pc: FakePeerConnection;
  readonly restart: ReturnType<typeof vi.fn>;
  readonly failed: ReturnType<typeof vi.fn>;
  readonly flowing: boolean[];
  readonly watch: IceWatch;
};

function watched(): Watched {
  const pc = new FakePeerConnection();
  const [restart, failed] = [vi.fn(), vi.fn()];
  const flowing: boolean[] = [];
  const watch = new IceWatch(pc as unknown as RTCPeerConnection, {
    restart,
    failed,
    flowing: (value) => flowing.push(value),
    now: () => Date.now(),
  });
  return { pc, restart, failed, flowing, watch };
}

async function seconds(count: number, each: () => void = () => undefined): Promise<void> {
  for (let second = 0; second < count; second += 1) {
    each();
    await vi.advanceTimersByTimeAsync(1_000);
  }
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("IceWatch", () => {
  it("leaves a connection alone that receives media, or only answers to its checks", async () => {
    const { pc, restart, flowing } = watched();
    pc.become("connected");
    await seconds(30, () => (pc.received.bytes += 100));
    await seconds(30, () => (pc.received.answers += 1));
    expect(restart).not.toHaveBeenCalled();
    expect(flowing).toEqual([true]);
  });

  it("restarts a connection that says connected but receives nothing for six seconds", async () => {
    const { pc, restart, flowing } = watched();
    pc.become("connected");
    await seconds(5, () => (pc.received.bytes += 100));
    await seconds(6);
    expect(restart).not.toHaveBeenCalled();
    await seconds(2);
    expect(restart).toHaveBeenCalledOnce();
    expect(flowing).toEqual([true, false]);
  });

  it("is content again as soon as something arrives after the restart", async () => {
    const { pc, restart, failed, flowing } = watched();
    pc.become("connected");
    await seconds(9);
    await seconds(30, () => (pc.received.bytes += 100));
    expect(restart).toHaveBeenCalledOnce();
    expect(failed).not.toHaveBeenCalled();
    expect(flowing).toEqual([true, false, true]);
  });

  it("restarts at once when the browser says failed", () => {
    const { pc, restart } = watched();
    pc.become("connected");
    pc.become("failed");
    expect(restart).toHaveBeenCalledOnce();
  });

  it("gives up after three restarts that led nowhere, once", async () => {
    const { pc, restart, failed } = watched();
    pc.become("connected");
    await seconds(60);
    expect(restart).toHaveBeenCalledTimes(3);
    expect(failed).toHaveBeenCalledOnce();
  });

  it("waits for ever while nothing was negotiated, but not for a first connection that never comes", async () => {
    const { pc, restart } = watched();
    await seconds(60);
    expect(restart).not.toHaveBeenCalled();
    pc.become("connecting");
    await seconds(10);
    expect(restart).toHaveBeenCalledOnce();
  });

  it("does nothing after it was closed", async () => {
    const { pc, restart, watch } = watched();
    pc.become("connected");
    watch.close();
    await seconds(30);
    expect(restart).not.toHaveBeenCalled();
  });
});
