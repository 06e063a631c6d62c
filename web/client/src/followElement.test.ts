import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Followed, Follower } from "./followElement";

class FakeSubscriber implements Followed {
  readonly asked: string[] = [];
  paused = false;

  pause(): Promise<void> {
    this.paused = true;
    this.asked.push("pause");
    return Promise.resolve();
  }

  resume(): Promise<void> {
    this.paused = false;
    this.asked.push("resume");
    return Promise.resolve();
  }

  setSize(width: number, height: number): Promise<void> {
    this.asked.push(`${width}x${height}`);
    return Promise.resolve();
  }
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("Follower", () => {
  const shown = (width: number, height: number, visible = true) => ({ width, height, visible });

  it("asks for a larger picture at once and for a smaller one when the layout has settled", () => {
    const subscriber = new FakeSubscriber();
    const follower = new Follower(subscriber);
    follower.see(shown(640, 360));
    follower.see(shown(1280, 720));
    for (const width of [1000, 800, 320]) {
      follower.see(shown(width, 180));
      vi.advanceTimersByTime(300);
    }
    expect(subscriber.asked).toEqual(["640x360", "1280x720"]);
    vi.advanceTimersByTime(1_000);
    expect(subscriber.asked).toEqual(["640x360", "1280x720", "320x180"]);
  });

  it("pauses what nobody has seen for a while, and resumes it at once", () => {
    const subscriber = new FakeSubscriber();
    const follower = new Follower(subscriber);
    follower.see(shown(640, 360));
    follower.see(shown(640, 360, false));
    vi.advanceTimersByTime(1_500);
    follower.see(shown(640, 360));
    vi.advanceTimersByTime(5_000);
    expect(subscriber.asked).toEqual(["640x360"]);
    follower.see(shown(640, 360, false));
    vi.advanceTimersByTime(2_500);
    expect(subscriber.asked).toEqual(["640x360", "pause"]);
    follower.see(shown(640, 360));
    expect(subscriber.asked).toEqual(["640x360", "pause", "resume"]);
  });

  it("does not pause a picture that only moved to another element", () => {
    const subscriber = new FakeSubscriber();
    const [before, after] = [new Follower(subscriber), new Follower(subscriber)];
    before.see(shown(640, 360));
    before.hide();
    after.see(shown(320, 180));
    vi.advanceTimersByTime(5_000);
    expect(subscriber.paused).toBe(false);
    after.hide();
    vi.advanceTimersByTime(5_000);
    expect(subscriber.paused).toBe(true);
  });
});
