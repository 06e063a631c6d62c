import type { Publisher, PublishOptions, Room } from "@headwater/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LocalMedia } from "../media/localMedia.svelte";
import { Call } from "./call.svelte";

/** Answers every request late, so that the next wish comes while the last is under way. */
const slow = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));

class FakePublisher {
  closed = false;
  muted: boolean;
  track: MediaStreamTrack | null;
  constructor(sent: MediaStreamTrack, { muted = false }: PublishOptions) {
    this.track = sent;
    this.muted = muted;
  }
  async mute(): Promise<void> {
    await slow();
    this.muted = true;
  }
  async unmute(): Promise<void> {
    await slow();
    this.muted = false;
  }
  async replaceTrack(track: MediaStreamTrack | null): Promise<void> {
    await slow();
    this.track = track;
  }
  async close(): Promise<void> {
    await slow();
    this.closed = true;
  }
}

class FakeRoom {
  readonly participantId = "me";
  readonly name = "Me";
  readonly participants = new Map();
  readonly subscribers = new Map();
  readonly slots = new Map();
  readonly published: [string, FakePublisher][] = [];
  on(): () => void {
    return () => undefined;
  }
  async publish(track: MediaStreamTrack, options: PublishOptions): Promise<Publisher> {
    await slow();
    const publisher = new FakePublisher(track, options);
    this.published.push([options.source ?? "unknown", publisher]);
    return publisher as unknown as Publisher;
  }
  getStats(): Promise<never> {
    return Promise.reject(new Error("not looked at here"));
  }
  leave(): Promise<void> {
    return Promise.resolve();
  }
  live(source: string): FakePublisher[] {
    return this.published.filter(([name, { closed }]) => name === source && !closed).map(([, publisher]) => publisher);
  }
}

class FakeMedia {
  camera: MediaStreamTrack | null = null;
  microphone: MediaStreamTrack | null = null;
  cameraError = null;
  microphoneError = null;
  muted = false;
  level = 0;
  async startCamera(): Promise<void> {
    await slow();
    this.camera = track("video");
  }
  stopCamera(): void {
    this.camera = null;
  }
  setMuted(muted: boolean): void {
    this.muted = muted;
  }
}

function track(kind: string): MediaStreamTrack {
  return { kind, contentHint: "", stop: () => undefined, addEventListener: () => undefined } as unknown as MediaStreamTrack;
}

function calling(): { call: Call; room: FakeRoom; media: FakeMedia } {
  const [room, media] = [new FakeRoom(), new FakeMedia()];
  return { call: new Call(room as unknown as Room, media as unknown as LocalMedia, undefined), room, media };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("Call", () => {
  it("ends where an impatient person left the camera, with one publication", async () => {
    for (const presses of [4, 5]) {
      const { call, room, media } = calling();
      for (let press = 0; press < presses; press += 1) void call.toggleCamera();
      await vi.advanceTimersByTimeAsync(5_000);
      const on = presses % 2 === 1;
      expect(media.camera !== null).toBe(on);
      expect(room.live("camera")).toMatchObject([{ muted: !on, track: media.camera }]);
      call.close();
    }
  });

  it("publishes the camera once although it is switched off while the call begins", async () => {
    const { call, room, media } = calling();
    media.camera = track("video");
    media.microphone = track("audio");
    void call.start();
    void call.toggleCamera();
    void call.toggleMute();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(room.live("camera")).toMatchObject([{ muted: true, track: null }]);
    expect(room.live("microphone")).toMatchObject([{ muted: true }]);
    call.close();
  });

  it("shares one screen however often it is asked, and publishes it anew for other content", async () => {
    vi.stubGlobal("navigator", {
      mediaDevices: {
        getDisplayMedia: () => Promise.resolve({ getVideoTracks: () => [track("video")], getAudioTracks: () => [] }),
      },
    });
    const { call, room } = calling();
    void call.toggleScreen();
    void call.toggleScreen();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(room.live("screen")).toHaveLength(1);
    void call.setScreenContent("motion");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(room.live("screen")).toHaveLength(1);
    expect(room.published).toHaveLength(2);
    expect(call.screen?.contentHint).toBe("motion");
    void call.toggleScreen();
    await vi.advanceTimersByTimeAsync(2_000);
    expect([room.live("screen").length, call.screen]).toEqual([0, null]);
    call.close();
  });
});
